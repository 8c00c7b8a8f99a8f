"""Runs what Modbus promises: `python3 -m bench.modbus --help`; scripts/bench-modbus builds first."""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from .contestants.agent import Agent
from .line import Line, measure
from .machine import facts
from .measure import Window
from .mine import Reading
from .programs import benchmark_program
from .rig import Rig

class _CountingAgent(Agent):
    """Notes when the agent says that it passed over a cycle."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.not_read: list[int] = []
        """Unix milliseconds of each point that was due and not read."""

    def readings(self, topic: str, payload: bytes, is_retained: bool) -> list[Reading]:
        if b"not-read" in payload and "/data" in topic:
            for sample in json.loads(payload)["samples"]:
                reasons = sample.get("bad", {}).values()
                self.not_read += [sample["time"]] * sum(r == "not-read" for r in reasons)
        return super().readings(topic, payload, is_retained)


_OUT = Path(__file__).resolve().parent.parent / "results" / "bench-modbus.json"
#: Seconds. The first is the shortest `every` there is; the highest rate is the first that holds.
_INTERVALS = (0.001, 0.002, 0.003, 0.005, 0.010)
#: Windows at that rate, and how many of them may miss a cycle: other programs of the machine may
#: have disturbed them.
_ROUNDS, _DISTURBED = 3, 1
_DEVICES, _POINTS = 16, 16
_SETTLE_SECONDS = 3.0
#: Stations, units, seconds: 102,400 points a second.
_MANY = (16, 40, 0.1)

LEAST_SHARE = 0.95
MOST_TIMES_THE_LOOP = 2.0
LEAST_POINTS = 100_000


def line(seconds: float) -> tuple[dict, list[str]]:
    """8 units of 10 registers at 9600 8E1, asked as fast as the line takes it."""
    # Shorter than a cycle of the line: something is always due.
    figures = measure(Line(9600, every=200), seconds)
    problems = []
    if figures["share"] < LEAST_SHARE:
        problems.append(f"{100 * figures['share']:.1f} % of what the wire allows")
    if figures["early"]:
        problems.append(f"{figures['early']} requests before 3.5 characters of silence")
    return figures, problems


def dead(seconds: float) -> tuple[dict, list[str]]:
    """The same line at 1 Hz, one of the eight units dead."""
    # What was found dead is backed off by then.
    figures = measure(Line(9600, every=1000, dead=4), seconds, warm_up=6)
    problems = []
    for name in ("cycles_missed", "others_bad"):
        if figures[name]:
            problems.append(f"{figures[name]} {name.replace('_', ' ')}")
    return figures, problems


def found(seconds: float) -> tuple[dict, list[str]]:
    """The same from the agent's start: the cycles in which the dead unit is found dead."""
    figures = measure(Line(9600, every=1000, dead=4), seconds, warm_up=0)
    missed = figures["cycles_missed"] or figures["others_bad"]
    return figures, ["others missed cycles"] if missed else []


def request(seconds: float) -> tuple[dict, list[str]]:
    """16 devices of 16 float32, a connection each, at the highest rate, beside a bare loop."""
    return _request(_DEVICES, 1, seconds)


def gateway(seconds: float) -> tuple[dict, list[str]]:
    """The same 16 devices behind one connection."""
    return _request(1, _DEVICES, seconds)


def _request(stations: int, units: int, seconds: float) -> tuple[dict, list[str]]:
    tried = []
    for interval in _INTERVALS:
        good, bad = [], []
        while len(good) < _ROUNDS and len(bad) <= _DISTURBED:
            figures, problems = _tcp(stations, units, interval, seconds / _ROUNDS, with_loop=True)
            (bad if problems else good).append(figures)
            tried.append({
                "interval_ms": round(1000 * interval), "missed_cycles": figures["missed_cycles"],
                "lost": figures["lost"], "agent_us": round(figures["agent_cpu_us_request"], 1),
                "loops_us": [round(each, 1) for each in figures["loops_cpu_us_request"]]})
            print(f"  tried {tried[-1]}", flush=True)
        if len(good) == _ROUNDS:
            break
    else:
        return {"tried": tried}, ["no rate without a missed cycle"]
    # That of the middle ratio, so that its figures belong together.
    figures = sorted(good, key=lambda each: each["times_the_loop"])[_ROUNDS // 2]
    figures = {"interval_ms": round(1000 * interval)} | figures | {"tried": tried}
    if figures["times_the_loop"] > MOST_TIMES_THE_LOOP:
        return figures, [f"{figures['times_the_loop']:.2f} times the loop's CPU for a request"]
    return figures, []


def points(seconds: float) -> tuple[dict, list[str]]:
    """102,400 points a second in requests of 16, through journal and uplink."""
    figures, problems = _tcp(*_MANY, seconds, with_loop=False)
    if figures["points_s"] < LEAST_POINTS:
        problems.append(f"{figures['points_s']:,.0f} points a second")
    return figures, problems


def _tcp(
    stations: int, units: int, interval: float, seconds: float, with_loop: bool
) -> tuple[dict, list[str]]:
    with Rig(_CountingAgent, stations, units, _POINTS, interval) as rig:
        loops = [_loop(rig)] if with_loop else []
        rig.warm_up(3)
        with Window(rig) as window:
            time.sleep(seconds)
        time.sleep(_SETTLE_SECONDS)
        rig.program.stop()
        if with_loop:
            loops.append(_loop(rig))
        rig.finish()
        result = rig.account.result(window.since, window.until)
        late = rig.truth.missed_cycles(window.since, window.until)
        missed = max(
            _not_read(rig, window), rig.truth.readings_too_few(window.since, window.until))
    requests = result.served / _POINTS
    used = window.figures
    figures = {
        "requests_s": requests / seconds,
        "points_s": result.delivered / seconds,
        "missed_cycles": missed,
        # Readings that came more than half an interval late, each in its cycle or not.
        "late_readings": late,
        "lost": result.lost,
        "repeated": result.repeated,
        "latency_p50_ms": result.latency_ms(0.5),
        "latency_p99_ms": result.latency_ms(0.99),
        "agent_cpu_share": used["cpu_s_min"] / 60,
        "agent_cpu_us_request": 1e6 * used["cpu_s_min"] / 60 * seconds / requests,
        "busy_slave": used["busy_slave"],
        "busy_broker": used["busy_broker"],
        "busy_subscriber": used["busy_subscriber"],
        "idle_cores": used["busy_idle"],
    }
    if loops:
        figures["loops_cpu_us_request"] = loops
        figures["loop_cpu_us_request"] = sum(loops) / len(loops)
        figures["times_the_loop"] = figures["agent_cpu_us_request"] / figures["loop_cpu_us_request"]
    problems = []
    if missed:
        problems.append(f"{missed} cycles missed")
    if result.lost:
        problems.append(f"{result.lost} values lost")
    return figures, problems


def _not_read(rig: Rig, window: Window) -> int:
    """Points that the agent itself says were due in a window and not read."""
    # To Unix milliseconds.
    offset = time.time_ns() - time.monotonic_ns()
    since, until = ((each + offset) / 1e6 for each in (window.since, window.until))
    return sum(since <= time <= until for time in rig.contestant.not_read)


def _loop(rig: Rig, seconds: int = 3) -> float:
    """Microseconds of CPU time that a request costs a bare loop on the same slave."""
    words = {
        "first-port": rig.mine.first_port,
        "stations": rig.mine.stations,
        "units": rig.mine.units,
        "registers": 2 * _POINTS,
        "interval-us": 0,
        "seconds": seconds,
    }
    options = [word for key, value in words.items() for word in (f"--{key}", str(value))]
    command = [str(benchmark_program("bench-loop")), *options]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return json.loads(result.stdout)["cpu_us_request"]


CASES: dict[str, Callable[[float], tuple[dict, list[str]]]] = {
    "line": line, "dead": dead, "found": found, "request": request, "gateway": gateway,
    "points": points,
}


def _rounded(value):
    match value:
        case float(): return float(f"{value:.5g}")
        case list(): return [_rounded(each) for each in value]
        case dict(): return {name: _rounded(each) for name, each in value.items()}
        case _: return value


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench-modbus", description=__doc__)
    parser.add_argument("--cases", default=",".join(CASES), metavar="A,B")
    parser.add_argument("--seconds", type=float, default=30, help="of each window (30)")
    parser.add_argument("--out", type=Path, default=_OUT, help="Benchmarks/results/bench-modbus.json")
    arguments = parser.parse_args()
    chosen = arguments.cases.split(",")
    for name in chosen:
        if name not in CASES:
            parser.error(f"no case {name}; there are {', '.join(CASES)}")
    content = {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "machine": facts(),
        "version": Agent.version(),
        "seconds": arguments.seconds,
        "cases": {},
    }
    failed = False
    for name in chosen:
        print(f"{name}: {CASES[name].__doc__}", flush=True)
        figures, problems = CASES[name](arguments.seconds)
        figures = _rounded(figures)
        content["cases"][name] = {"figures": figures, "problems": problems}
        for figure, value in figures.items():
            print(f"  {figure:28} {value}")
        for problem in problems:
            failed = True
            print(f"  FAILED: {problem}", flush=True)
        arguments.out.write_text(json.dumps(content, indent=1) + "\n")
    print(f"results in {arguments.out}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
