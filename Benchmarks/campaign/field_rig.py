"""The rig with lines with faults in place of the simulated mine."""

import json
import os
import sys
import time
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path

from campaign.field_account import Bus, Outcome, Point
from campaign.programs import Program, free_ports
from campaign.rig import SOURCE_TREE, Rig
from campaign.scenario import Setting
from field.line import Spell

UNITS = 8
EVERY = 1000
"""Milliseconds between two readings of a point."""
TIMEOUT = 150
"""Milliseconds; the late window is two more of them (LateWindow)."""
LATE_TIMEOUTS = 3

#: How each bus is reached: as `python3 -m field --listen` and the configuration name it.
BUSES = {"line": "rtu", "station": "tcp"}
_WHERE = {
    "rtu": "port: {directory}/COM1, baud: 19200",
    "tcp": "host: 127.0.0.1, port: {port}",
    "rtu-over-tcp": "host: 127.0.0.1, port: {port}",
}

#: Two runs of registers that are alike, a third table, and bits.
POINTS = (
    {f"a{n}": Point(3, n) for n in range(0, 8, 2)}
    | {f"b{n}": Point(3, 150 + n) for n in range(0, 8, 2)}
    | {f"c{n}": Point(4, 200 + n) for n in range(0, 4, 2)}
    | {f"d{n}": Point(2, 0, n) for n in range(16)}
)


class FieldRig(Rig):
    """Numbered units behind lines with faults, on each bus the same units."""

    def __init__(self, setting: Setting, spells: dict[str, list[Spell]], seed: int):
        self._spells, self._seed = spells, seed
        first = free_ports(len(BUSES))
        self._ports = {name: first + number for number, name in enumerate(BUSES)}
        self._lines: list[Program] = []
        super().__init__(setting, "", 1)

    def _field_side(self) -> str:
        lines = ["buses:"]
        for name, kind in BUSES.items():
            where = _WHERE[kind].format(directory=self.directory, port=self._ports[name])
            lines.append(f"  {name}: {{ {kind}: {{ {where} }}, timeout: {TIMEOUT}ms }}")
        lines.append("devices:")
        for name in BUSES:
            for unit in range(1, UNITS + 1):
                lines.append(f"  {name}-{unit}:")
                lines.append(f"    {{ bus: {name}, unit: {unit}, every: {EVERY}ms, points: {{")
                lines += [f"      {point}: {_place(place)}," for point, place in POINTS.items()]
                lines.append("    } }")
        return "\n".join(lines) + "\n"

    def start_all(self) -> None:
        self.start_broker()
        self._receiver = self._start_other(
            "edge-receive", "--url", f"mqtt://127.0.0.1:{self.broker_port}",
            "--store", self.received,
        )
        self.begin = time.time() * 1000
        for name, kind in BUSES.items():
            where = f"{self.directory}/COM1" if kind == "rtu" else self._ports[name]
            self._start_line(name, f"{kind}:{where}")
        self._simulator = self
        self.start_agent()
        self.agent.wait_until_it_prints("runs as", self.patience)

    def _start_line(self, name: str, listen: str) -> None:
        plan = self._write(f"{name}.plan.json", json.dumps([*map(asdict, self._spells[name])]))
        words = [sys.executable, "-m", "field", "--listen", listen, "--units", f"numbered:{UNITS}"]
        words += ["--plan", plan, "--seed", str(self._seed), "--timeout", str(TIMEOUT / 1000)]
        words += ["--late-timeouts", str(LATE_TIMEOUTS), "--log", self.directory / f"{name}.jsonl"]
        path = f"{SOURCE_TREE}/Benchmarks:{os.environ.get('PYTHONPATH', '')}"
        program = Program(
            words, self.directory / f"{name}.log",
            {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        self._others.append(program)
        self._lines.append(program)
        program.wait_until_it_prints("ready\n", self.patience)

    def stop(self, seconds: float) -> None:
        """Of the lines, in order: what they held is in their logs then."""
        self.end = time.time() * 1000
        for line in self._lines:
            line.stop(seconds)

    def _account(self) -> list[str]:
        """Problems with what was delivered, as far as the receiver can tell by itself."""
        words = [self._program("edge-receive"), "--store", self.received, "--verify", "--json"]
        return list(json.loads(self._output(words))["problems"])

    def bus(self, name: str) -> Bus:
        """What a line saw."""
        bus = Bus(
            name, BUSES[name] == "tcp", TIMEOUT, LATE_TIMEOUTS, self._spells[name], self.begin
        )
        with open(self.directory / f"{name}.jsonl") as lines:
            bus.take_log(map(json.loads, lines))
        return bus

    def outcomes(self) -> dict[tuple[str, str], list[Outcome]]:
        """By device and point, in the order of their times."""
        found = defaultdict(list)
        rows = self._query(
            "select payload from message join batch on batch.message = message.id "
            "where batch.stream = 'data'"
        )
        for (payload,) in rows:
            for sample in json.loads(payload)["samples"]:
                device, when = sample["device"], sample["time"]
                for point, value in sample.get("values", {}).items():
                    found[device, point].append(Outcome(when, value, ""))
                for point, reason in sample.get("bad", {}).items():
                    found[device, point].append(Outcome(when, None, reason))
        return {key: sorted(values, key=lambda o: o.time) for key, values in found.items()}

    def not_read(self) -> dict[str, int]:
        """Cycles that gap events name, by device."""
        counts: dict[str, int] = defaultdict(int)
        for event in self.events():
            if event["type"] == "gap" and event.get("reason") == "not-read":
                counts[event["source"]] += event.get("count", 0)
        return counts


def _place(point: Point) -> str:
    if point.bit is not None:
        return f"{{ discrete: {point.bit} }}"
    table = {3: "holding", 4: "input"}[point.function]
    return f"{{ {table}: {point.address}, type: uint32, unit: none }}"
