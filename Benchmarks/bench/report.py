"""Renders a file of results as Markdown: `python3 -m bench.report FILE`."""

import json
import statistics
import sys
from pathlib import Path
from typing import Any, NamedTuple

from .contestants import NOT_PEERS


class Figure(NamedTuple):
    """How a figure is shown. `better` is "lower", "higher" or "" where no ratio is of use."""

    title: str
    digits: int
    better: str = "lower"
    factor: float = 1


FIGURES = {
    "points_s": Figure("highest rate, points/s", 0, "higher"),
    "cpu_s_min": Figure("CPU, s a minute", 3),
    "rss_mib": Figure("RSS, MiB", 1),
    "pss_mib": Figure("PSS, MiB", 1),
    "anonymous_mib": Figure("anonymous memory, MiB", 1),
    "device_bytes_s": Figure("to the block device, KB/s", 2, "lower", 1e-3),
    "wire_bytes_value": Figure("TCP payload to the broker, bytes a value", 1),
    "latency_p50_ms": Figure("latency p50, ms", 2),
    "latency_p99_ms": Figure("latency p99, ms", 2),
    "latency_max_ms": Figure("latency, longest, ms", 2),
    "first_value_s": Figure("exec to first value at the subscriber, s", 3),
    "served": Figure("values served", 0, ""),
    "lost": Figure("lost", 0, ""),
    "lost_outside": Figure("lost outside of the commit window", 0, ""),
    "repeated": Figure("repeated", 0, ""),
    "out_of_order": Figure("out of order", 0, ""),
    "unknown": Figure("never served", 0, ""),
    "missed_cycles": Figure("missed cycles", 0, ""),
    "first_message_s": Figure("broker back to any value, s", 2),
    "first_fresh_s": Figure("broker back to the first value served after, s", 2),
    "all_fresh_s": Figure("broker back to such a value of each point, s", 2),
    "drain_s": Figure("broker back to the end of the backlog, s", 2),
    "cpu_point_ratio": Figure("CPU a point against the step before", 2, ""),
    "busy_slave": Figure("slave's CPU, % of a core", 1, "", 100),
    "busy_broker": Figure("broker's CPU, % of a core", 1, "", 100),
    "busy_subscriber": Figure("subscriber's CPU, % of a core", 1, "", 100),
    "busy_driver": Figure("driver's CPU, % of a core", 1, "", 100),
    "busy_idle": Figure("idle, % of a core", 1, "", 100),
}
_GROWTH = "growth "
_GROWTH_FIGURES = (
    "cpu_s_min", "rss_mib", "anonymous_mib", "cpu_point_ratio", "missed_cycles", "lost"
)


def _number(value: float | None, figure: Figure) -> str:
    return "–" if value is None else f"{value * figure.factor:,.{figure.digits}f}"


def _ratio(value: float, base: float | None) -> str:
    return f"{value / base:.2f}" if base else "–"


class Results:
    """The content of a file of results."""

    def __init__(self, content: dict[str, Any]):
        self.content = content
        self.names: list[str] = []
        self.labels: list[str] = []
        self._values: dict[tuple[str, str, str], list[float]] = {}
        for run in content["runs"]:
            if run["contestant"] not in self.names:
                self.names.append(run["contestant"])
            if run["label"] not in self.labels:
                self.labels.append(run["label"])
            for name, value in run["figures"].items():
                key = (run["label"], name, run["contestant"])
                if value is not None:
                    self._values.setdefault(key, []).append(value)

    def values(self, label: str, figure: str, contestant: str) -> list[float]:
        return self._values.get((label, figure, contestant), [])

    def median(self, label: str, figure: str, contestant: str) -> float | None:
        values = self.values(label, figure, contestant)
        return statistics.median(values) if values else None

    def best_peer(self, label: str, figure: str) -> float | None:
        """The best median of those a user would pick instead."""
        medians = [
            median
            for name in self.names
            if name not in NOT_PEERS
            and (median := self.median(label, figure, name)) is not None
        ]
        if not medians:
            return None
        return max(medians) if FIGURES[figure].better == "higher" else min(medians)

    def table(self, label: str) -> list[str]:
        """One row for each figure and contestant."""
        lines = [
            f"### {label}",
            "",
            "| figure | | runs | min | median | max | ÷ floor | ÷ best peer |",
            "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        ]
        for name, figure in FIGURES.items():
            floor, peer = self.median(label, name, "floor"), self.best_peer(label, name)
            title = figure.title
            for contestant in self.names:
                values = self.values(label, name, contestant)
                if not values:
                    continue
                median = statistics.median(values)
                cells = [
                    title,
                    contestant,
                    str(len(values)),
                    *(_number(v, figure) for v in (min(values), median, max(values))),
                    *(_ratio(median, base) if figure.better else "" for base in (floor, peer)),
                ]
                lines.append("| " + " | ".join(cells) + " |")
                title = ""
        return lines + [""]

    def growth_table(self) -> list[str]:
        """One row for each contestant and number of points, medians."""
        titles = [FIGURES[name].title for name in _GROWTH_FIGURES]
        lines = [
            "### growth",
            "",
            "Medians.",
            "",
            "| | points | runs | " + " | ".join(titles) + " |",
            "| --- |" + " ---: |" * (2 + len(titles)),
        ]
        for contestant in self.names:
            for label in self.labels:
                runs = self.values(label, "cpu_s_min", contestant)
                if not label.startswith(_GROWTH) or not runs:
                    continue
                cells = [contestant, f"{int(label.removeprefix(_GROWTH)):,}", str(len(runs))]
                for name in _GROWTH_FIGURES:
                    cells.append(_number(self.median(label, name, contestant), FIGURES[name]))
                lines.append("| " + " | ".join(cells) + " |")
        return lines + [""]

    def notes(self) -> list[str]:
        lines = []
        for run in self.content["runs"]:
            for what, text in run["notes"].items():
                lines.append(
                    f"- run {run['run']}, {run['contestant']}, {run['label']}: {what}: {text}"
                )
        return ["### notes", "", *lines, ""] if lines else []

    def markdown(self) -> str:
        content, machine = self.content, self.content["machine"]
        lines = [
            f"{content['date']}, {machine['cores']} × {machine['cpu']}, {machine['memory_mib']:,} "
            f"MiB, {machine['system']}, Linux {machine['kernel']} {machine['architecture']}, "
            f"{machine['broker']}; load at the start {machine['load']:.2f}.",
            "",
            "| contestant | version | store |",
            "| --- | --- | --- |",
        ]
        for name, about in content["contestants"].items():
            lines.append(f"| {name} | {about['version']} | {about['store']} |")
        for name, reason in content["unavailable"].items():
            lines.append(f"| {name} | not measured: {reason} | |")
        lines.append("")
        for label in self.labels:
            if not label.startswith(_GROWTH):
                lines += self.table(label)
        if any(label.startswith(_GROWTH) for label in self.labels):
            lines += self.growth_table()
        lines += self.notes()
        if content["failures"]:
            lines += ["### failed", "", *(f"- {text}" for text in content["failures"]), ""]
        return "\n".join(lines)


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit("usage: python3 -m bench.report FILE")
    print(Results(json.loads(Path(sys.argv[1]).read_text())).markdown())


if __name__ == "__main__":
    main()
