"""The broker and the way to it fail in every manner for random times."""

import time
from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import Callable, Sequence

from campaign.rig import MINE, Rig, freeze, thaw
from campaign.scenario import Outcome, Setting

STATIONS, POINTS = 8, 8

KINDS = {
    "stopped": "the broker stops in order and comes back",
    "killed": "the broker is killed and comes back knowing nothing",
    "frozen": "the broker runs no more for a while; its sockets stay open",
    "unacknowledged": "publishes arrive, their acknowledgements don't; then the connection is cut",
    "cut": "the connection is reset, amid a packet or between two",
    "deaf": "nothing is carried in either direction, then all of it",
    "refusing": "the connection is cut and new ones are refused for a while",
}


@dataclass(frozen=True)
class Outage:
    """What fails, for how long, and how long after the one before."""

    kind: str
    after: float
    """Seconds of a connection that holds before it."""
    lasts: float
    """Seconds."""
    bytes: int
    """For a cut: how many more bytes of the agent get through."""
    is_hurried: bool
    """Whether a reload makes the agent connect at once: else it waits up to a minute where one
    short connection followed another."""

    def __str__(self) -> str:
        amid = f" after {self.bytes} bytes" if self.kind == "cut" else f" for {self.lasts:.3f} s"
        hurry = ", then a reload" if self.is_hurried else ""
        return f"{self.kind}{amid}, when connected for {self.after:.3f} s{hurry}"


class Outages:
    name = "outages"
    description = "the broker is stopped, killed or frozen, the way to it cut, deaf or refusing"
    unit = "outages"
    seconds_each = 10
    least = 1

    def plan(self, count: int, random: Random) -> Sequence[Outage]:
        outages = []
        for _ in range(count):
            # Most are short, some longer than every time-out of the agent's.
            is_long = random.random() < 0.1
            outages.append(
                Outage(
                    kind=random.choice(list(KINDS)),
                    after=random.uniform(0.2, 4),
                    lasts=random.uniform(5, 30) if is_long else random.uniform(0.05, 5),
                    bytes=int(2 ** random.uniform(0, 14)),
                    is_hurried=random.random() < 0.85,
                )
            )
        return outages

    def run(self, plan: Sequence[Outage], random: Random, setting: Setting) -> Outcome:
        mine = f"seed: {random.randrange(1, 1 << 31)}\n"
        mine += MINE.format(stations=STATIONS, points=POINTS, every="200ms")
        with Rig(setting, mine, STATIONS, linked=True) as rig:
            rig.start_all()
            slack = setting.slack
            for number, outage in enumerate(plan, 1):
                rig.wait_until_connected(15 + slack)
                time.sleep(outage.after)
                rig.check_agent()
                self._play(outage, rig)
                self._wait_until_connected(outage, rig)
                if number % 10 == 0 or number == len(plan):
                    setting.say(f"{number} of {len(plan)} outages")
            account = rig.finish()
            counted = {
                "outages": len(plan),
                "by kind": dict(sorted(Counter(outage.kind for outage in plan).items())),
                "seconds without a broker": round(
                    sum(outage.lasts for outage in plan if outage.kind != "cut"), 1
                ),
                "connections cut amid traffic": rig.link.cuts,
                **account.figures(),
            }
            problems = account.nothing_missing()
            if rig.agent_status != 0:
                problems.append(f"the agent stopped with {rig.agent_status}")
            return Outcome(counted, problems)

    def _wait_until_connected(self, outage: Outage, rig: Rig) -> None:
        time.sleep(0.5)
        if outage.is_hurried and not rig.is_connected:
            rig.renew_destination()
        # A minute at most after a failure, and 20 s until a silent one is found out.
        rig.wait_until_connected(90 + rig.setting.slack)

    def _play(self, outage: Outage, rig: Rig) -> None:
        def between(begin: Callable[[], object], end: Callable[[], object]) -> None:
            begin()
            time.sleep(outage.lasts)
            end()

        link = rig.link
        match outage.kind:
            case "stopped":
                between(rig.stop_broker, rig.start_broker)
            case "killed":
                between(rig.kill_broker_keeping_account, rig.revive_broker)
            case "frozen":
                between(lambda: freeze(rig.broker), lambda: thaw(rig.broker))
            case "unacknowledged":
                between(lambda: link.carry(down=False), link.cut)
                link.carry()
            case "cut":
                link.cut_after(outage.bytes)
            case "deaf":
                between(lambda: link.carry(up=False, down=False), link.carry)
            case "refusing":
                link.refuse()
                between(link.cut, lambda: link.refuse(False))


scenario = Outages()
