"""Power cuts of a machine with an ext4 disk: a User Mode Linux kernel that is killed."""

import json
import time
from dataclasses import dataclass
from random import Random
from typing import Sequence

from campaign.account import Account
from campaign.guest_rig import GuestRig
from campaign.missing import missing_times
from campaign.rig import COMMIT, MINE
from campaign.scenario import Outcome, Setting
from campaign.scenarios.kills import AFTER, Kills, sleep_until, uncovered_gaps

STATIONS, POINTS = 8, 8
# Seconds: 320 values a second.
EVERY = 0.2

# Seconds. The newest sample that was synced is a cycle and a sync older than `commit` at most.
BEFORE = COMMIT + 0.6


@dataclass(frozen=True)
class Cut:
    """A power cut, and what the broker does before it."""

    amid: str
    """`boot`: before the agent runs; `start`: while it recovers its store; `load`."""
    after: float
    """Seconds from when the machine was switched on (`boot`) or its agent started to the cut."""
    broker: str
    """`up` or `away` at the cut."""
    change: float | None
    """Seconds from the same moment to when the broker goes or comes back."""

    def __str__(self) -> str:
        what = "switching on" if self.amid == "boot" else "the agent's start"
        change = "" if self.change is None else f" since {self.change:.3f} s after {what}"
        return f"cut {self.after:.3f} s after {what}, broker {self.broker}{change}"


class Uml:
    name = "uml"
    description = "power cuts of a machine (User Mode Linux) with the store on ext4, under load"
    unit = "cuts"
    seconds_each = 4.5
    least = 1

    def plan(self, count: int, random: Random) -> Sequence[Cut]:
        cuts, is_away = [], False
        for _ in range(count):
            amid = random.choices(["boot", "start", "load"], [0.1, 0.2, 0.7])[0]
            least, most = {"boot": (0.0, 0.5), "start": (0.0, 0.4), "load": (0.4, 5.0)}[amid]
            after = random.uniform(least, most)
            changes = amid == "load" and random.random() < (0.5 if is_away else 0.3)
            change = random.uniform(0, after) if changes else None
            is_away ^= changes
            cuts.append(Cut(amid, after, "away" if is_away else "up", change))
        return cuts

    def run(self, plan: Sequence[Cut], random: Random, setting: Setting) -> Outcome:
        mine = f"seed: {random.randrange(1, 1 << 31)}\n"
        mine += MINE.format(stations=STATIONS, points=POINTS, every=f"{EVERY * 1000:.0f}ms")
        with GuestRig(setting, mine, STATIONS) as rig:
            rig.start_all()
            windows: list[tuple[int, int]] = []
            is_away = False
            # The first cut is amid a run like any other.
            time.sleep(1)
            for number, cut in enumerate(plan, 1):
                windows.append(self._play(cut, cut.broker == "away", is_away, rig))
                is_away = cut.broker == "away"
                if number % 10 == 0 or number == len(plan):
                    setting.say(f"{number} of {len(plan)} cuts")
            if is_away:
                rig.start_broker()
            # The last boot is to read, too.
            time.sleep(2 + setting.slack)
            account = rig.finish()
            (setting.directory / "windows.json").write_text(json.dumps(windows))
            missing = missing_times(rig.truth, rig.received)
            problems = self.judge(account, windows, missing)
            if rig.agent_status != 0:
                problems.append(f"the agent stopped with {rig.agent_status}")
            damage = rig.disk.check()
            if damage:
                problems.append(f"the disk's file system is damaged: {damage}")
            if problems:
                rig.keep_disk()
            counted = {
                "cuts": len(plan),
                "cuts amid": {a: sum(c.amid == a for c in plan) for a in ("boot", "start", "load")},
                "cuts while the broker was away": sum(c.broker == "away" for c in plan),
                **account.figures(),
                "values that never came": len(missing),
                "of which in no window of a cut": len(beyond(missing, windows)),
                "epochs with data": account.epochs,
                "ms a gap reaches back at most": Kills.reach(account, windows, setting),
                "most copies of a batch": rig.most_copies(),
            }
            return Outcome(counted, problems)

    def _play(self, cut: Cut, is_away: bool, was_away: bool, rig: GuestRig) -> tuple[int, int]:
        """Plays one cut; returns the time in which values may be missing, Unix ms."""
        slack = rig.setting.slack
        start = time.monotonic()
        if is_away != was_away:
            sleep_until(start + cut.change)
            if is_away:
                rig.stop_broker()
            else:
                rig.start_broker()
        if cut.amid != "boot":
            sleep_until(start + cut.after)
        rig.check_agent()
        begin = _now() - int(1000 * (BEFORE + slack))
        rig.agent.kill()
        if cut.amid == "boot":
            # The power comes back and goes again before anything was read.
            rig.boot()
            time.sleep(cut.after)
            rig.agent.kill()
        rig.start_agent()
        return begin, _now() + int(1000 * (AFTER + slack))

    @staticmethod
    def judge(
        account: Account, windows: list[tuple[int, int]], missing: list[int]
    ) -> list[str]:
        """Why the account is not complete; `missing` are the times of what never came."""
        problems = list(account.problems) + uncovered_gaps(account, windows, "cuts")
        committed = beyond(missing, windows)
        if committed:
            problems.append(
                f"{len(committed)} values never came that were committed or read without a cut, "
                f"served at {committed[:5]}"
            )
        # A batch that was overtaken by a newer one before the cut leaves a hole in its epoch, which
        # the next start's event explains; any other reason is damage.
        others = set(account.named) - {"unclean-stop", "unclean end"}
        if others:
            problems.append(f"values missing for other reasons: {sorted(others)}")
        return problems


def beyond(times: list[int], windows: list[tuple[int, int]]) -> list[int]:
    """Those that no window covers."""
    return [time for time in times if not any(begin <= time <= end for begin, end in windows)]


def _now() -> int:
    return time.time_ns() // 1_000_000


scenario = Uml()
