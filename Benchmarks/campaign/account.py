"""What edge-receive's JSON account says, and what a scenario asks of it beyond that."""

from dataclasses import dataclass
from typing import Any, Iterable


@dataclass(frozen=True)
class TimeGap:
    """A time, in Unix milliseconds, in which values may be missing, as the agent told."""

    stream: str
    begin: int
    end: int
    reason: str


@dataclass(frozen=True)
class Account:
    """The account of a run."""

    problems: list[str]
    served: int
    delivered: int
    lost: int
    """Values that are missing though no gap names them."""
    named: dict[str, int]
    """Values that are missing and that a gap names, by its reason."""
    invented: int
    repeats: int
    out_of_order: int
    batches: int
    history: int
    """Messages on data/history."""
    epochs: int
    """Epochs of which batches of data were received."""
    gaps: list[TimeGap]
    hole_reasons: dict[str, int]
    """Batches that are missing, by what explains them; "" for nothing."""
    latency_p50: int | None
    latency_p99: int | None

    @staticmethod
    def of(report: dict[str, Any]) -> "Account":
        """Reads what `edge-receive --verify --truth FILE --json` printed."""
        truth = report["truth"]
        streams = [stream for stream in report["streams"] if stream["stream"] == "data"]
        holes: dict[str, int] = {}
        for stream in report["streams"]:
            for hole in stream["holes"]:
                words = hole["explanation"] or ""
                holes[words] = holes.get(words, 0) + hole["to"] - hole["from"] + 1
        live = report["latency"]["live"] or {}
        return Account(
            problems=list(report["problems"]),
            served=truth["served"],
            delivered=truth["delivered"],
            lost=truth["lost"],
            named=dict(truth["explained"]),
            invented=truth["invented"],
            repeats=report["repeats"],
            out_of_order=report["out-of-order"]["count"],
            batches=sum(stream["batches"] for stream in streams),
            history=report["messages"]["history"],
            epochs=len({(s["store"], s["epoch"]) for s in streams if s["batches"]}),
            gaps=[
                TimeGap(gap["stream"], gap["from"], gap["to"], gap["reason"])
                for gap in report["time-gaps"]
            ],
            hole_reasons=holes,
            latency_p50=live.get("p50"),
            latency_p99=live.get("p99"),
        )

    def figures(self) -> dict[str, Any]:
        """What every scenario reports."""
        return {
            "served": self.served,
            "delivered": self.delivered,
            "lost": self.lost,
            "named in gaps": self.named,
            "never served": self.invented,
            "out of order": self.out_of_order,
            "batches": self.batches,
            "repeats": self.repeats,
            "messages of history": self.history,
            "batches missing": self.hole_reasons,
            "time gaps": len(self.gaps),
            "live p50 ms": self.latency_p50,
            "live p99 ms": self.latency_p99,
        }

    def nothing_missing(self) -> list[str]:
        """Problems of a run in which nothing may be missing, not even with a reason."""
        problems = list(self.problems)
        if self.named:
            problems.append(f"values missing, though with a reason: {self.named}")
        if self.served == 0:
            problems.append("nothing was served")
        return problems


def uncovered(span: tuple[int, int], windows: Iterable[tuple[int, int]]) -> int:
    """How much of a span none of the windows covers."""
    begin, end = span
    missing = 0
    for start, stop in sorted(windows):
        if stop <= begin:
            continue
        if start >= end:
            break
        missing += max(0, start - begin)
        begin = max(begin, stop)
        if begin >= end:
            return missing
    return missing + max(0, end - begin)
