"""What the store writes to its disk, in sectors, with different commits and mount options."""

import re
import time
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Sequence

from campaign.guest_rig import GuestRig
from campaign.rig import MINE
from campaign.scenario import Outcome, Setting

# 256 values a second.
STATIONS, POINTS, EVERY = 16, 16, "1s"

# Seconds: the first cursors are saved more often than later ones, and segments are made.
WARM_UP = 20

SECTOR = 512
PAGE = 4096


@dataclass(frozen=True)
class Wear:
    """A measurement."""

    commit: float
    """Seconds."""
    mount_options: str
    seconds: int
    limit: float | None
    """KB/s (1000 bytes) that are promised."""

    def __str__(self) -> str:
        return f"commit {self.commit:g} s, mounted with {self.mount_options}"


class Wears:
    name = "wear"
    description = "bytes to the disk at 256 values/s: 1 s and 5 s of commit, four ways of mounting"
    unit = "seconds"
    seconds_each = 5
    least = 10

    def plan(self, count: int, random: Random) -> Sequence[Wear]:
        return [
            Wear(1, "defaults", count, 8),
            Wear(5, "defaults", count, 3),
            Wear(1, "lazytime", count, None),
            Wear(5, "lazytime", count, None),
            Wear(5, "lazytime,commit=60", count, None),
        ]

    def run(self, plan: Sequence[Wear], random: Random, setting: Setting) -> Outcome:
        mine = f"seed: {random.randrange(1, 1 << 31)}\n"
        mine += MINE.format(stations=STATIONS, points=POINTS, every=EVERY)
        counted: dict[str, Any] = {}
        problems = []
        for number, wear in enumerate(plan, 1):
            directory = setting.directory / str(number)
            directory.mkdir()
            figures, wrong = self._measure(wear, mine, replace(setting, directory=directory))
            counted[str(wear)] = figures
            problems += [f"{wear}: {problem}" for problem in wrong]
            setting.say(f"{wear}: {figures['KB/s']} KB/s")
        return Outcome(counted, problems)

    def _measure(
        self, wear: Wear, mine: str, setting: Setting
    ) -> tuple[dict[str, Any], list[str]]:
        with GuestRig(setting, mine, STATIONS, commit=wear.commit) as rig:
            rig.mount_options = wear.mount_options
            rig.start_all()
            time.sleep(WARM_UP)
            before, begin = self._written(rig), time.monotonic()
            time.sleep(wear.seconds)
            rig.check_agent()
            after, end = self._written(rig), time.monotonic()
            account = rig.finish()
        written = {name: after[name] - before[name] for name in before}
        return judge(wear, written, end - begin, account.problems)

    @staticmethod
    def _written(rig: GuestRig) -> dict[str, float]:
        """Bytes since the boot by cause; what waits to be written is written first."""
        machine = rig.agent
        machine.output("sync")
        stat = machine.output("cat", "/sys/block/ubda/stat").split()
        journal = machine.output("cat", "/proc/fs/jbd2/ubda-8/info")
        agent = machine.output("cat", f"/proc/{rig.pid}/io")
        cursors = rig.directory / "disk" / "store" / "cursors"
        numbers = machine.output(
            "sh", "-c", f"for n in 0 1; do od -An -tu8 -j8 -N8 {cursors}/province.$n; done"
        )
        return {
            "disk": int(stat[6]) * SECTOR,
            "requests": int(stat[4]),
            "agent": int(_number(r"^write_bytes: (\d+)", agent)),
            "cursors": max((int(n) for n in numbers.split()), default=0) * PAGE,
            "journal": journal_blocks(journal) * PAGE,
        }


def journal_blocks(info: str) -> float:
    """Blocks that ext4 has written to its journal, by /proc/fs/jbd2: those logged, and for each
    transaction a descriptor and a commit block."""
    transactions = _number(r"^(\d+) transactions", info)
    return transactions * (_number(r"^\s+(\d+) logged blocks per transaction", info) + 2)


def _number(pattern: str, text: str) -> float:
    found = re.search(pattern, text, re.MULTILINE)
    return float(found.group(1)) if found else 0


def judge(
    wear: Wear, written: dict[str, float], seconds: float, problems: list[str]
) -> tuple[dict[str, Any], list[str]]:
    """Figures a second, and why they are not what is promised."""
    rate = {name: amount / 1000 / seconds for name, amount in written.items()}
    figures = {
        "KB/s": round(rate["disk"], 2),
        "the agent's pages": round(rate["agent"], 2),
        "of which cursors": round(rate["cursors"], 2),
        "the file system's journal, about": round(rate["journal"], 2),
        "writes a second": round(written["requests"] / seconds, 2),
    }
    problems = list(problems)
    if wear.limit is not None and rate["disk"] > wear.limit:
        problems.append(f"{rate['disk']:.2f} KB/s where {wear.limit:g} are promised")
    if not written["disk"]:
        problems.append("nothing was written")
    return figures, problems


scenario = Wears()
