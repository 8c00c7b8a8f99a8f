"""Every fault that an answer can suffer, at random among eight units of each kind of bus."""

import time
from dataclasses import dataclass
from random import Random
from typing import Sequence

from campaign.field_account import Verdict, judge_cycles, judge_neighbours, judge_values
from campaign.field_rig import BUSES, EVERY, POINTS, TIMEOUT, UNITS, FieldRig
from campaign.scenario import Outcome, Setting
from field.faults import kinds
from field.framing import FRAMINGS
from field.line import Spell

# Units of a bus that have a fault at once.
SICK = 2
# Seconds. In the last ones late answers come and what is backed off may be read again.
QUIET = 4

# What the units without a fault may suffer by the others': the share of their cycles that are not
# read, and milliseconds that one reading in a hundred may be late: two time-outs of each sick unit.
HURT_SHARE = 0.01
STRETCH = 2 * SICK * TIMEOUT


@dataclass(frozen=True)
class Trouble:
    """A spell on a bus."""

    bus: str
    spell: Spell

    def __str__(self) -> str:
        spell = self.spell
        share = f"{100 * spell.share:.0f} %"
        return (
            f"{spell.begin:g} s to {spell.end:g} s: {self.bus} unit {spell.unit} "
            f"{', '.join(spell.kinds)} ({share})"
        )


class Modbus:
    name = "modbus"
    description = "answers that are late, damaged, doubled, of others: is a wrong value delivered?"
    unit = "seconds"
    seconds_each = 1
    least = 15

    def plan(self, count: int, random: Random) -> Sequence[Trouble]:
        troubles: list[Trouble] = []
        for bus, kind in BUSES.items():
            framing = FRAMINGS["tcp" if kind == "tcp" else "rtu"]
            waiting: list[str] = []
            busy_until = [0.0] * (UNITS + 1)
            ends = [random.uniform(1, 3) for _ in range(SICK)]
            while (begin := min(ends)) < count - QUIET - 1:
                slot = ends.index(begin)
                # All kinds in turn, in another order each time.
                waiting = waiting or random.sample(kinds(framing), len(kinds(framing)))
                well = [unit for unit in range(1, UNITS + 1) if busy_until[unit] < begin]
                unit, kind = random.choice(well), waiting.pop()
                end = round(min(begin + random.uniform(2, 5), count - QUIET), 1)
                share = random.choice([0.3, 0.6, 1])
                spell = Spell(round(begin, 1), end, unit, (kind,), share)
                troubles.append(Trouble(bus, spell))
                busy_until[unit] = end
                ends[slot] = end + random.uniform(0.1, 1)
        troubles.sort(key=lambda trouble: (trouble.spell.begin, trouble.bus))
        return [*troubles, Trouble("run", Spell(count, count, 0, ("ends",), 1))]

    def run(self, plan: Sequence[Trouble], random: Random, setting: Setting) -> Outcome:
        spells = {bus: [t.spell for t in plan if t.bus == bus] for bus in BUSES}
        with FieldRig(setting, spells, random.randrange(1 << 31)) as rig:
            rig.start_all()
            end = rig.begin / 1000 + plan[-1].spell.end
            while (left := end - time.time()) > 0:
                time.sleep(min(left, 1))
                rig.check_agent()
            problems = rig.finish()
            counted = {}
            outcomes, not_read = rig.outcomes(), rig.not_read()
            for name in BUSES:
                verdict = self._judge(rig, name, outcomes, not_read)
                counted |= self._figures(name, rig.bus(name).faults(), verdict)
                problems += self._problems(name, verdict, setting.slack)
            if rig.agent_status != 0:
                problems.append(f"the agent stopped with {rig.agent_status}")
            return Outcome(counted, problems)

    def _judge(self, rig: FieldRig, name: str, outcomes, not_read) -> Verdict:
        bus, verdict = rig.bus(name), Verdict()
        for unit in range(1, UNITS + 1):
            device = f"{name}-{unit}"
            for point, place in POINTS.items():
                own = outcomes.get((device, point), [])
                judge_values(bus, unit, place, own, verdict)
                judge_cycles(
                    f"{device} {point}", own, EVERY, not_read.get(device, 0), rig.begin, rig.end,
                    verdict,
                )
            # One point of each run of registers: the others share its fate.
            for point in ("a0", "b0", "c0", "d0"):
                judge_neighbours(bus, unit, outcomes.get((device, point), []), EVERY, verdict)
        return verdict

    def _figures(self, name: str, faults: dict[str, int], verdict: Verdict) -> dict:
        late = [verdict.stretch(quantile) for quantile in (0.5, 0.99, 1)]
        return {
            f"{name}: answers by fault": faults,
            f"{name}: good values": verdict.good,
            f"{name}: bad values": dict(sorted(verdict.reasons.items())),
            f"{name}: wrong values as good": len(verdict.wrong),
            f"{name}: wrong, unseen by CRC-16": verdict.unseen,
            f"{name}: wrong, later than the window": verdict.beyond,
            f"{name}: cycles without own fault": verdict.healthy,
            f"{name}: of them not read": dict(sorted(verdict.hurt.items())),
            f"{name}: late by ms p50, p99, most": " ".join(map(str, late)),
            f"{name}: healed after ms, most": max(verdict.recoveries, default=None),
        }

    def _problems(self, name: str, verdict: Verdict, slack: float) -> list[str]:
        problems = [*verdict.wrong, *verdict.missing]
        if verdict.good == 0:
            problems.append(f"{name}: no good value")
        # Programs that are slow, or on a busy machine, are not held to times.
        if slack > 0:
            return problems
        if verdict.hurt_share > HURT_SHARE:
            problems.append(
                f"{name}: {100 * verdict.hurt_share:.1f} % of the cycles of units without a fault "
                f"were not read; at most {100 * HURT_SHARE:g} % are allowed"
            )
        if (stretch := verdict.stretch(0.99) or 0) > STRETCH:
            problems.append(f"{name}: cycles late by {stretch} ms (p99); {STRETCH} are allowed")
        return problems


scenario = Modbus()
