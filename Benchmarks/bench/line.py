"""Eight units on a serial line that is as slow as a real one, from the slave's and the receiver's
side."""

import json
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from campaign.field_account import Outcome
from campaign.programs import Program
from campaign.rig import Rig
from campaign.scenario import Setting

from .measure import cpu_seconds
from .programs import agent_program, benchmark_program

UNITS, REGISTERS, BITS_A_CHARACTER = 8, 10, 11


@dataclass(frozen=True)
class Line:
    """What there is to measure; `every` in milliseconds, `delay` of the slaves in seconds."""

    baud: int
    every: int
    delay: float = 0.005
    dead: int = 0
    timeout: int = 500
    """Milliseconds; 1,000 are more than a cycle of 1 s has to spare."""

    @property
    def transaction(self) -> float:
        """Seconds that a request takes on the wire, with its silences and the slave's delay."""
        characters = 8 + 5 + 2 * REGISTERS
        silence = 3.5 * BITS_A_CHARACTER / self.baud if self.baud <= 19_200 else 0.00175
        return characters * BITS_A_CHARACTER / self.baud + 2 * silence + self.delay


@dataclass(frozen=True)
class Asked:
    """A request that the slave saw; monotonic nanoseconds."""

    time: int
    unit: int
    is_answered: bool
    is_early: bool


class LineRig(Rig):
    """The line in place of the simulated mine."""

    def __init__(self, line: Line, directory: Path):
        self.line = line
        setting = Setting(directory, agent_program("x").parent, 0, print)
        super().__init__(setting, "", 1)

    def _field_side(self) -> str:
        line = self.line
        words = [
            "buses:",
            f"  line: {{ rtu: {{ port: {self.directory}/COM1, baud: {line.baud} }}, "
            f"timeout: {line.timeout}ms }}",
            "devices:",
        ]
        points = ", ".join(
            f"p{n}: {{ holding: {n}, type: uint16, unit: none }}" for n in range(REGISTERS)
        )
        for unit in range(1, UNITS + 1):
            words.append(f"  unit-{unit}: {{ bus: line, unit: {unit}, every: {line.every}ms,")
            words.append(f"    points: {{ {points} }} }}")
        return "\n".join(words) + "\n"

    def start_all(self) -> None:
        self.start_broker()
        self._receiver = self._start_other(
            "edge-receive", "--url", f"mqtt://127.0.0.1:{self.broker_port}",
            "--store", self.received,
        )
        line = self.line
        self._simulator = Program(
            [
                benchmark_program("bench-line"), "--link", self.directory / "COM1",
                "--baud", str(line.baud), "--units", str(UNITS), "--dead", str(line.dead),
                "--delay-us", str(round(1e6 * line.delay)), "--records", self._records,
            ],
            self.directory / "bench-line.log",
        )
        self._others.append(self._simulator)
        self._simulator.wait_until_it_prints("ready\n", self.patience)
        self.start_agent()
        self.agent.wait_until_it_prints("runs as", self.patience)

    @property
    def _records(self) -> Path:
        return self.directory / "asked.txt"

    def _account(self) -> None:
        """What was asked is in `asked`."""

    def asked(self) -> list[Asked]:
        rows = (line.split() for line in self._records.read_text().splitlines())
        return [Asked(int(a), int(b), c == "1", d == "1") for a, b, c, d in rows]

    def outcomes(self) -> dict[str, list[Outcome]]:
        """Of each device's first point, in the order of their times."""
        found: dict[str, list[Outcome]] = {}
        rows = self._query(
            "select payload from message join batch on batch.message = message.id "
            "where batch.stream = 'data'"
        )
        for (payload,) in rows:
            for sample in json.loads(payload)["samples"]:
                reason = sample.get("bad", {}).get("p0", "")
                value = sample.get("values", {}).get("p0")
                found.setdefault(sample["device"], []).append(
                    Outcome(sample["time"], value, reason)
                )
        return {name: sorted(outcomes, key=lambda o: o.time) for name, outcomes in found.items()}


def measure(line: Line, seconds: float, warm_up: float = 3) -> dict[str, float]:
    """Runs the agent on a line; figures of a window."""
    with tempfile.TemporaryDirectory(prefix="edge-bench-") as directory:
        os.chmod(directory, 0o755)
        with LineRig(line, Path(directory)) as rig:
            rig.start_all()
            time.sleep(warm_up)
            since, wall, cpu = time.monotonic_ns(), time.time() * 1000, cpu_seconds(rig.agent.pid)
            time.sleep(seconds)
            until, cpu = time.monotonic_ns(), cpu_seconds(rig.agent.pid) - cpu
            rig.finish()
            asked = [a for a in rig.asked() if since <= a.time < until]
            outcomes = rig.outcomes()
    figures = _rates(line, asked, (until - since) / 1e9)
    figures["agent_cpu_us_request"] = 1e6 * cpu / max(1, len(asked))
    figures |= _cycles(line, asked)
    others = [o for name, own in outcomes.items() if name != f"unit-{line.dead}" for o in own]
    others = [o for o in others if wall <= o.time < wall + 1000 * seconds]
    figures["others_bad"] = sum(o.value is None for o in others)
    figures["others_good"] = sum(o.value is not None for o in others)
    return figures


def _rates(line: Line, asked: list[Asked], seconds: float) -> dict[str, float]:
    answered = sum(a.is_answered for a in asked)
    return {
        "requests_s": len(asked) / seconds,
        "answers_s": answered / seconds,
        "wire_allows_s": 1 / line.transaction,
        "share": answered / seconds * line.transaction,
        "early": sum(a.is_early for a in asked),
    }


def _cycles(line: Line, asked: list[Asked]) -> dict[str, float]:
    """How far apart the questions to each unit that answers are."""
    gaps = []
    for unit in set(range(1, UNITS + 1)) - {line.dead}:
        times = [a.time / 1e6 for a in asked if a.unit == unit]
        gaps += [later - earlier for earlier, later in zip(times, times[1:])]
    gaps.sort()
    return {
        "cycle_p50_ms": gaps[len(gaps) // 2],
        "cycle_p99_ms": gaps[int(0.99 * len(gaps))],
        "cycle_max_ms": gaps[-1],
        "cycles_missed": sum(round(gap / line.every) - 1 for gap in gaps if gap > 1.5 * line.every),
    }
