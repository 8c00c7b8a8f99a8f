"""Runs the bench: `python3 -m bench --help`."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from .cases import CASES, QUICK, Options, Outcome
from .contestants import contestants
from .contestants.contestant import Contestant, Unavailable
from .machine import facts
from .processes import Failure
from .report import FIGURES, Results

_RESULTS = Path(__file__).resolve().parent.parent / "results"
#: Beyond this share of a core at 256 points/s, the load itself would be what is measured.
_BUSIEST = 0.7
#: Shown when a case has ended.
_PROGRESS = (
    "points_s", "cpu_s_min", "rss_mib", "device_bytes_s", "wire_bytes_value", "latency_p50_ms",
    "latency_p99_ms", "first_value_s", "lost", "lost_outside", "repeated", "out_of_order",
    "missed_cycles", "first_fresh_s", "drain_s",
)  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench", description="Measures the agent beside what a user would pick instead."
    )
    parser.add_argument("--contestants", metavar="A,B", help="all if not said")
    parser.add_argument("--cases", metavar="A,B", help=f"of {', '.join(CASES)}; all if not said")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="3 if not said")
    parser.add_argument("--quick", action="store_true", help="short: to see that all of it works")
    parser.add_argument("--seconds", type=float, metavar="N", help="of the steady case's window")
    parser.add_argument("--outage", type=float, metavar="N", help="seconds without a broker")
    parser.add_argument("--out", type=Path, metavar="FILE", help="else in Benchmarks/results/")
    parser.add_argument("--keep", action="store_true", help="keep each case's directory")
    parser.add_argument("--list", action="store_true", help="the contestants and the cases")
    arguments = parser.parse_args()
    for option in ("runs", "seconds", "outage"):
        if (value := getattr(arguments, option)) is not None and value < 1:
            parser.error(f"--{option} takes a number of 1 or more")
    if arguments.out and not arguments.out.absolute().parent.is_dir():
        parser.error(f"--out: there is no directory {arguments.out.absolute().parent}")
    return arguments


def _chosen(all_of_them: dict[str, Any], names: str | None, what: str) -> dict[str, Any]:
    if names is None:
        return all_of_them
    chosen = {}
    for name in names.split(","):
        if name not in all_of_them:
            raise SystemExit(f"no {what} {name}; there are {', '.join(all_of_them)}")
        chosen[name] = all_of_them[name]
    return chosen


def _say(text: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


def _summary(outcome: Outcome) -> str:
    parts = []
    for name in _PROGRESS:
        value = outcome.figures.get(name)
        if value is not None:
            figure = FIGURES[name]
            parts.append(f"{figure.title} {value * figure.factor:,.{figure.digits}f}")
    parts += [f"{what}: {text}" for what, text in outcome.notes.items()]
    return "; ".join(parts)


def _outcomes(case: str, kind: type[Contestant], options: Options) -> Iterator[Outcome]:
    """Of one case; what goes wrong is an outcome, too."""
    try:
        yield from CASES[case](kind, options)
    except (Failure, OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
        yield Outcome(case, notes={"failed": f"{type(error).__name__}: {error}"})


def _problems(name: str, outcome: Outcome) -> Iterator[str]:
    """What makes the whole run fail: a loss of the agent's, or figures that can't be trusted."""
    figures, where = outcome.figures, f"{name}, {outcome.label}"
    for part in ("slave", "subscriber"):
        share = figures.get(f"busy_{part}") or 0
        if outcome.label == "steady" and share > _BUSIEST:
            yield f"{where}: the {part} was busy {100 * share:.0f} % of the time"
    if name not in ("agent", "agent-unlimited"):
        return
    if "failed" in outcome.notes:
        yield f"{where}: {outcome.notes['failed']}"
    lost = figures.get("lost_outside", figures.get("lost"))
    if lost:
        yield f"{where}: {lost:.0f} values lost"
    if figures.get("unknown"):
        yield f"{where}: {figures['unknown']:.0f} values that were never served"


def _install(
    chosen: dict[str, type[Contestant]],
) -> tuple[dict[str, type[Contestant]], dict[str, str]]:
    able, unavailable = {}, {}
    for name, kind in chosen.items():
        try:
            kind.install()
            able[name] = kind
        except Unavailable as reason:
            unavailable[name] = str(reason)
            _say(f"{name} is not measured: {reason}")
    return able, unavailable


def _options(arguments: argparse.Namespace) -> Options:
    options = replace(QUICK if arguments.quick else Options(), keep=arguments.keep)
    if arguments.seconds is not None:
        options.steady = arguments.seconds
    if arguments.outage is not None:
        options.outage = arguments.outage
    return options


def _stop(number: int, _: object) -> None:
    """Unwinds what runs, once: a second signal does not disturb that."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit(128 + number)


def _rounded(outcome: Outcome) -> dict[str, Any]:
    """Five digits are more than any figure has to say."""
    fields = asdict(outcome)
    for name, value in outcome.figures.items():
        if isinstance(value, float):
            fields["figures"][name] = float(f"{value:.5g}")
    return fields


def _write(out: Path, content: dict[str, Any]) -> None:
    """A line for each outcome, so that files of results can be compared."""
    head = json.dumps({**content, "runs": []}, indent=1, ensure_ascii=False)
    runs = ",\n  ".join(json.dumps(run, ensure_ascii=False) for run in content["runs"])
    new = out.with_suffix(".new")
    new.write_text(head.removesuffix("[]\n}") + f"[\n  {runs}\n ]\n}}\n")
    os.replace(new, out)


def _run(
    arguments: argparse.Namespace,
    kinds: dict[str, type[Contestant]],
    cases: dict[str, Any],
    content: dict[str, Any],
    out: Path,
) -> None:
    """All cases of all contestants in turn, as often as asked; the file is whole after each."""
    options = _options(arguments)
    for run in range(1, arguments.runs + 1):
        for case in cases:
            for name, kind in kinds.items():
                if kind.only_cases is not None and case not in kind.only_cases:
                    continue
                _say(f"run {run} of {arguments.runs}: {name}, {case}")
                for outcome in _outcomes(case, kind, options):
                    content["runs"].append({"run": run, "contestant": name, **_rounded(outcome)})
                    problems = [f"run {run}: {text}" for text in _problems(name, outcome)]
                    content["failures"] += problems
                    _say(f"  {outcome.label}: {_summary(outcome)}")
                    for text in problems:
                        _say(f"  FAILED: {text}")
                    _write(out, content)


def main() -> int:
    arguments = _arguments()
    kinds = _chosen(contestants(), arguments.contestants, "contestant")
    cases = _chosen(CASES, arguments.cases, "case")
    if arguments.list:
        for name, kind in kinds.items():
            print(f"{name:24} store: {kind.store}")
        for name, case in cases.items():
            print(f"{name:24} {case.__doc__.strip().splitlines()[0]}")
        return 0
    signal.signal(signal.SIGINT, _stop)
    signal.signal(signal.SIGTERM, _stop)
    date = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    out = arguments.out or _RESULTS / f"bench-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    machine = facts()
    kinds, unavailable = _install(kinds)
    content: dict[str, Any] = {
        "date": date,
        "machine": machine,
        "options": asdict(_options(arguments)),
        "contestants": {
            name: {"version": kind.version(), "store": kind.store} for name, kind in kinds.items()
        },
        "unavailable": unavailable,
        "failures": [f"the agent: {unavailable['agent']}"] if "agent" in unavailable else [],
        "runs": [],
    }
    _write(out, content)
    _run(arguments, kinds, cases, content, out)
    print(f"\n{Results(content).markdown()}")
    _say(f"results in {out}")
    for text in content["failures"]:
        print(f"FAILED: {text}", file=sys.stderr)
    if not content["runs"]:
        print("FAILED: nothing was measured", file=sys.stderr)
    return 1 if content["failures"] or not content["runs"] else 0


if __name__ == "__main__":
    sys.exit(main())
