"""kill -9 of the agent at random moments."""

import time
from dataclasses import dataclass
from random import Random
from typing import Sequence

from campaign.account import Account, uncovered
from campaign.rig import COMMIT, MINE, Rig
from campaign.scenario import Outcome, Setting

STATIONS, POINTS = 8, 8
# Seconds.
EVERY = 0.2

# Seconds. The newest sample that was synced is a cycle and a sync older than `commit` at most.
BEFORE = COMMIT + 0.6
# A restarted agent has read its first sample by then.
AFTER = 1.5


@dataclass(frozen=True)
class Kill:
    """A kill, and what the broker does before it."""

    after: float
    """Seconds from the agent's start to its kill."""
    broker: str
    """`up` or `away` at the kill."""
    change: float | None
    """Seconds from the agent's start to the moment when the broker goes or comes back."""

    def __str__(self) -> str:
        change = "" if self.change is None else f" since {self.change:.3f} s after the start"
        return f"kill {self.after:.3f} s after the start, broker {self.broker}{change}"


class Kills:
    name = "kills"
    description = "kill -9 of the agent at random moments under load, also while the broker is away"
    unit = "kills"
    seconds_each = 2.5
    least = 1

    def plan(self, count: int, random: Random) -> Sequence[Kill]:
        kills, is_away = [], False
        for _ in range(count):
            # Each fourth amid the start: recovery is killed too.
            is_early = random.random() < 0.25
            after = random.uniform(0.002, 0.4) if is_early else random.uniform(0.4, 4.5)
            changes = random.random() < (0.5 if is_away else 0.3)
            change = random.uniform(0, after) if changes else None
            is_away ^= changes
            kills.append(Kill(after, "away" if is_away else "up", change))
        return kills

    def run(self, plan: Sequence[Kill], random: Random, setting: Setting) -> Outcome:
        mine = f"seed: {random.randrange(1, 1 << 31)}\n"
        mine += MINE.format(stations=STATIONS, points=POINTS, every=f"{EVERY * 1000:.0f}ms")
        with Rig(setting, mine, STATIONS) as rig:
            rig.start_all()
            # The first kill is amid a run like any other.
            time.sleep(1)
            windows: list[tuple[int, int]] = []
            is_away = False
            for number, kill in enumerate(plan, 1):
                windows.append(self._play(kill, kill.broker == "away", is_away, rig))
                is_away = kill.broker == "away"
                if number % 10 == 0 or number == len(plan):
                    setting.say(f"{number} of {len(plan)} kills")
            if is_away:
                rig.start_broker()
            # The last restart is to read, too.
            time.sleep(2 + setting.slack)
            account = rig.finish()
            counted = {
                "kills": len(plan),
                "kills while the broker was away": sum(k.broker == "away" for k in plan),
                "kills within 0.4 s of a start": sum(k.after <= 0.4 for k in plan),
                **account.figures(),
                "epochs with data": account.epochs,
                "ms a gap reaches back at most": self.reach(account, windows, setting),
                "most copies of a batch": rig.most_copies(),
            }
            problems = self.judge(account, len(plan), windows, setting.slack)
            if rig.agent_status != 0:
                problems.append(f"the agent stopped with {rig.agent_status}")
            return Outcome(counted, problems)

    def _play(self, kill: Kill, is_away: bool, was_away: bool, rig: Rig) -> tuple[int, int]:
        """Plays one kill; returns the time in which values may be missing, Unix ms."""
        start = time.monotonic()
        if is_away != was_away:
            sleep_until(start + kill.change)
            if is_away:
                rig.stop_broker()
            else:
                rig.start_broker()
        sleep_until(start + kill.after)
        rig.check_agent()
        killed = time.time_ns() // 1_000_000
        rig.agent.kill()
        rig.start_agent()
        slack = rig.setting.slack
        end = time.time_ns() // 1_000_000 + int(1000 * (AFTER + slack))
        return killed - int(1000 * (BEFORE + slack)), end

    @staticmethod
    def reach(account: Account, windows: list[tuple[int, int]], setting: Setting) -> int | None:
        """The longest time from where a gap begins to the next kill, ms."""
        kills = [begin + int(1000 * (BEFORE + setting.slack)) for begin, _ in windows]
        reaches = [
            min((kill - gap.begin for kill in kills if kill >= gap.begin), default=0)
            for gap in account.gaps
        ]
        return max(reaches, default=None)

    @staticmethod
    def judge(
        account: Account, kills: int, windows: list[tuple[int, int]], slack: float = 0
    ) -> list[str]:
        """Why the account is not complete."""
        problems = list(account.problems) + uncovered_gaps(account, windows, "kills")
        # What each bus had been answered and had not appended yet: an answer each, and what came
        # while a slow disk kept the store waiting.
        most = kills * STATIONS * POINTS * int(1 + slack / EVERY)
        if sum(account.named.values()) > most:
            problems.append(f"more values missing than were in hand at the kills, {most}")
        others = {reason for reason in account.named if reason != "unclean-stop"}
        if others:
            problems.append(f"values missing for other reasons: {sorted(others)}")
        return problems


def uncovered_gaps(
    account: Account, windows: list[tuple[int, int]], what: str
) -> list[str]:
    """Gaps that name a time in which nothing may be missing."""
    problems = []
    for gap in account.gaps:
        beyond = uncovered((gap.begin, gap.end), windows)
        if beyond:
            problems.append(
                f"a gap of {gap.stream} ({gap.reason}) from {gap.begin} to {gap.end} reaches "
                f"{beyond} ms beyond the commit windows of the {what}"
            )
    return problems


def sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))


scenario = Kills()
