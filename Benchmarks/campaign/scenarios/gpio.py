"""GPIO lines of a real kernel: simulated chips in a machine with the real agent."""

import time
from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import Sequence

from campaign.gpio_faults import Faults
from campaign.gpio_rig import GpioRig
from campaign.programs import RunFailed
from campaign.scenario import Outcome, Setting

KINDS = (
    "levels", "counts", "bounce", "beams", "turnstiles", "frequency", "busy", "missing", "refused",
    "queue", "chatter", "idle", "kill", "cut",
)


@dataclass(frozen=True)
class Round:
    """What is done in one go."""

    kind: str
    seed: int
    """Of all that it chooses."""

    def __str__(self) -> str:
        return f"{self.kind} {self.seed}"


class Gpio:
    name = "gpio"
    description = "simulated GPIO lines of a machine (User Mode Linux) with the real agent in it"
    unit = "rounds"
    seconds_each = 5
    least = 1

    def plan(self, count: int, random: Random) -> Sequence[Round]:
        """Each kind comes once in as many rounds as there are kinds."""
        rounds = []
        while len(rounds) < count:
            kinds = random.sample(KINDS, len(KINDS))
            rounds += [Round(kind, random.randrange(1 << 30)) for kind in kinds]
        return rounds[:count]

    def run(self, plan: Sequence[Round], random: Random, setting: Setting) -> Outcome:
        with GpioRig(setting) as rig:
            rounds = Faults(rig)
            rig.start_all()
            rounds.set_headcount(PEOPLE)
            problems = []
            for number, it in enumerate(plan, 1):
                begin = time.monotonic()
                found = self._play(rounds, it)
                words = "; ".join(found) or "right"
                setting.say(f"{number:3} {it.kind:10} {time.monotonic() - begin:5.1f} s  {words}")
                problems += [f"round {number}, {it}: {problem}" for problem in found]
            rig.finish()
            kinds = Counter(it.kind for it in plan)
            figures = {
                "libgpiod": rig.library,
                "rounds": dict(sorted(kinds.items())),
                "starts of the agent": rig.starts,
                **rounds.counted,
                "samples": len(rig.records.samples),
                "events": rig.event_counts(),
            }
            return Outcome(figures, problems + rounds.judge_run())

    @staticmethod
    def _play(rounds: Faults, it: Round) -> list[str]:
        rounds.rig.check_agent()
        try:
            return getattr(rounds, it.kind)(Random(it.seed))
        except RunFailed as problem:
            # The rounds after it begin on a machine that is as it should be.
            rounds.rig.cut()
            rounds.rig.start_agent()
            rounds.set_headcount(PEOPLE)
            return [str(problem)]


# In the area before the first round.
PEOPLE = 20

scenario = Gpio()
