"""What a process has open over time, and whether that grows."""

from dataclasses import dataclass
from pathlib import Path
from statistics import median_high


@dataclass(frozen=True)
class Measure:
    """What a process has at a moment."""

    second: float
    resident: int
    """KiB."""
    anonymous: int
    """KiB."""
    descriptors: int
    threads: int


def measure(pid: int, second: float) -> Measure:
    """What process `pid` has now."""
    status = {}
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        status[name] = value.split()[0] if value.split() else ""
    return Measure(
        second=second,
        resident=int(status["VmRSS"]),
        anonymous=int(status["RssAnon"]),
        descriptors=sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()),
        threads=int(status["Threads"]),
    )


@dataclass(frozen=True)
class Growth:
    """Early against late."""

    name: str
    early: int
    late: int
    allowed: int

    @property
    def is_growth(self) -> bool:
        return self.late > self.early + self.allowed

    def __str__(self) -> str:
        verdict = "GROWTH" if self.is_growth else "flat"
        return (
            f"{self.name}: median {self.early} early, {self.late} late "
            f"({self.allowed} more allowed): {verdict}"
        )


# A segment of the store or a connection more is no growth; a leak at each of some hundred flaps is.
ALLOWED = {"anonymous": 2048, "descriptors": 6, "threads": 2}

# A process that has just begun has not yet opened everything.
START = 5


def growths(measures: list[Measure]) -> list[Growth]:
    """Medians of the first third, without the start, against the last: what flaps is in both."""
    if not measures:
        return []
    total = measures[-1].second
    early = [m for m in measures if START < m.second <= total / 3 + START]
    late = [m for m in measures if m.second > total * 2 / 3]
    if not early or not late:
        return []
    return [
        Growth(
            name,
            median_high([getattr(m, name) for m in early]),
            median_high([getattr(m, name) for m in late]),
            allowed,
        )
        for name, allowed in ALLOWED.items()
    ]
