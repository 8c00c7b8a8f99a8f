"""The command line of scripts/campaign."""

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from campaign.programs import RunFailed, program
from campaign.rig import SOURCE_TREE
from campaign.scenario import Outcome, Scenario, Setting, discover


def main() -> int:
    scenarios = discover()
    options = _options(scenarios)
    if options.list:
        for name, scenario in scenarios.items():
            print(f"{name:12} {scenario.description}")
            print(f"{'':12} counts {scenario.unit}, about {scenario.seconds_each:g} s each")
        return 0
    scenario = scenarios[options.name]
    random = Random(f"{scenario.name} {options.seed}")
    plan = scenario.plan(options.count, random)
    if options.plan:
        for fault in plan:
            print(fault)
        return 0
    return _run(scenario, plan, random, options)


def _options(scenarios: dict[str, Scenario]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/campaign",
        description="Plays a long, seeded sequence of faults and accounts for every value. "
        "Exits with 0 only if the account is complete.",
    )
    parser.add_argument("name", nargs="?", choices=list(scenarios), help="the scenario")
    parser.add_argument("--count", type=int, default=10, help="how many faults (10)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed, the same faults (1)")
    parser.add_argument("--keep", type=Path, help="an empty directory that keeps logs and records")
    parser.add_argument(
        "--out", nargs="?", const=Path(), type=Path, metavar="FILE",
        help="write the result; without FILE to Benchmarks/results/campaign-NAME.json",
    )
    parser.add_argument("--plan", action="store_true", help="print the faults, play nothing")
    parser.add_argument("--list", action="store_true", help="print the scenarios")
    options = parser.parse_args()
    if not options.list:
        if options.name is None:
            parser.error(f"a scenario is expected: {', '.join(scenarios)}")
        least = scenarios[options.name].least
        if options.count < least:
            parser.error(f"--count {options.count}: {options.name} takes {least} or more")
    return options


def _run(scenario: Scenario, plan, random: Random, options: argparse.Namespace) -> int:
    directory = _directory(options.keep)
    begin = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - begin:8.1f} s  {line}", flush=True)

    def stop(number, _) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, stop)
    about = options.count * scenario.seconds_each
    what = f"{scenario.name}: {options.count} {scenario.unit}"
    say(f"{what}, seed {options.seed}, about {about:.0f} s")
    (directory / "plan.txt").write_text("".join(f"{fault}\n" for fault in plan))
    for fault in plan[:SHOWN]:
        say(f"  {fault}")
    if len(plan) > SHOWN:
        say(f"  and {len(plan) - SHOWN} more: all of them by --plan")
    programs = Path(os.environ.get("EDGE_PROGRAMS", "."))
    slack = float(os.environ.get("CAMPAIGN_SLACK", "0"))
    judges_growth = os.environ.get("CAMPAIGN_GROWTH", "judged") != "shown"
    is_complete = False
    try:
        try:
            setting = Setting(directory, programs, slack, say, judges_growth)
            outcome = scenario.run(plan, random, setting)
        except (RunFailed, OSError, subprocess.SubprocessError) as problem:
            outcome = Outcome(problems=[f"the run broke off: {problem}"])
        duration = time.monotonic() - begin
        is_complete = not outcome.problems
        _show(outcome)
        if options.out is not None:
            result = _result(scenario, options, duration, outcome, programs)
            _write(options.out, scenario, result)
    finally:
        if options.keep is None and is_complete:
            shutil.rmtree(directory, ignore_errors=True)
        else:
            print(f"logs and records: {directory}", flush=True)
    return 0 if is_complete else 1


# Faults that are shown before they are played.
SHOWN = 12


def _directory(keep: Path | None) -> Path:
    if keep is None:
        return Path(tempfile.mkdtemp(prefix="campaign-"))
    keep.mkdir(parents=True, exist_ok=True)
    if any(keep.iterdir()):
        sys.exit(f"--keep {keep}: an empty directory is expected")
    return keep.resolve()


def _show(outcome: Outcome) -> None:
    print()
    for name, value in outcome.counted.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key or 'nothing'} {n}" for key, n in value.items()) or "none"
        print(f"{name + ':':34} {value}")
    for problem in outcome.problems:
        print(f"PROBLEM: {problem}")
    print("complete" if not outcome.problems else "NOT COMPLETE", flush=True)


def _result(
    scenario: Scenario, options: argparse.Namespace, duration: float, outcome: Outcome,
    programs: Path,
) -> dict:
    return {
        "scenario": scenario.name,
        "seed": options.seed,
        "count": options.count,
        "unit": scenario.unit,
        "seconds": round(duration, 1),
        "complete": not outcome.problems,
        "problems": outcome.problems[:PROBLEMS],
        "counted": outcome.counted,
        "versions": {
            "edge-agent": _printed(str(programs / "edge-agent"), "--version"),
            "mosquitto": _mosquitto_version(),
            "kernel": platform.release(),
            "python": platform.python_version(),
        },
        "commit": _commit(),
    }


# Results are small files: the first ones tell what is wrong.
PROBLEMS = 20


def _write(path: Path, scenario: Scenario, result: dict) -> None:
    if path == Path():
        path = SOURCE_TREE / "Benchmarks" / "results" / f"campaign-{scenario.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    print(f"result: {path}")


def _printed(*words: str) -> str | None:
    try:
        result = subprocess.run(words, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() or None


def _mosquitto_version() -> str | None:
    try:
        words = _printed(program("mosquitto"), "-h")
    except RunFailed:
        return None
    return words.splitlines()[0].split()[-1] if words else None


def _commit() -> str | None:
    commit = _printed("git", "-C", str(SOURCE_TREE), "rev-parse", "--short=12", "HEAD")
    changed = _printed("git", "-C", str(SOURCE_TREE), "status", "--porcelain", "Sources")
    return f"{commit} with changes" if commit and changed else commit


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        # All has been ended and said by then.
        sys.exit(130)
