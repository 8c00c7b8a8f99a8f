"""The whole way from simulated GPIO lines in a machine to the receiver outside."""

import itertools
import json
import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Iterable, Sequence

from campaign.guest_rig import GuestRig
from campaign.programs import RunFailed, wait_until
from campaign.rig import SOURCE_TREE
from campaign.scenario import Setting


@dataclass(frozen=True)
class Line:
    """A configured line and where it is simulated."""

    name: str
    chip: str
    offset: int
    options: str = ""
    """What its configuration says beside the place."""
    is_active_low: bool = False
    counts: str | None = None
    by_name: str | None = None
    """What its chip calls it, if it is configured by that."""

    def configuration(self) -> str:
        at = f"{{ name: {self.by_name} }}" if self.by_name else (
            f"{{ chip: {self.chip}, offset: {self.offset} }}"
        )
        return f"  {self.name}: {{ line: {at}, every: {EVERY * 1000:g}ms{self.options} }}\n"


EVERY = 0.5
"""Seconds between the samples of each line."""
DEBOUNCE = 0.1
"""Seconds, of the lines that bounce."""
WINDOW = 1
"""Seconds, of the line with a frequency."""
BAND, MARGIN, SCALE = (10, 60), 1, (0, 15)
"""Of that line: hertz, hertz, and what the band stands for."""
PULSE = 0.01
"""kWh of a pulse of the meter."""

# The chips' labels and their lines. What is on the second one is taken out amid the run.
CHIPS = {"sim-a": 16, "sim-b": 4}
NAMED = {"sim-b": {"2": "SEAL-1"}}
_debounce = f", debounce: {DEBOUNCE * 1000:g}ms"
LINES = {
    line.name: line
    for line in (
        Line("contact", "sim-a", 0),
        Line("low", "sim-a", 1, ", active: low", is_active_low=True),
        Line("up", "sim-a", 2, ", bias: pull-up"),
        Line("down", "sim-a", 3, ", bias: pull-down"),
        Line("bouncing", "sim-a", 4, _debounce),
        Line("bouncing-count", "sim-a", 5, _debounce + ", count: rising", counts="rising"),
        Line("rising", "sim-a", 6, ", count: rising", counts="rising"),
        Line("falling", "sim-a", 7, ", count: falling", counts="falling"),
        Line("both", "sim-a", 8, ", count: both", counts="both"),
        Line(
            "meter", "sim-a", 9, f", count: rising, pulse: {{ value: {PULSE}, unit: kWh }}",
            counts="rising",
        ),
        Line(
            "speed", "sim-a", 10,
            f", unit: m/s, frequency: {{ hz: [{BAND[0]}, {BAND[1]}], value: [{SCALE[0]}, "
            f"{SCALE[1]}], window: {WINDOW}s, margin: {MARGIN} }}",
        ),
        Line("outer", "sim-a", 11),
        Line("inner", "sim-a", 12),
        Line("enter", "sim-a", 13),
        Line("leave", "sim-a", 14),
        Line("low-count", "sim-a", 15, ", active: low, count: rising", True, "rising"),
        Line("apart", "sim-b", 0),
        Line("apart-count", "sim-b", 1, ", count: both", counts="both"),
        Line("seal", "sim-b", 2, by_name="SEAL-1"),
    )
}
COUNTS = [line for line in LINES.values() if line.counts]
AREA = "hall"
_AREAS = f"""\
areas:
  {AREA}:
    gates:
      - {{ beams: [outer, inner], name: door }}
      - {{ in: enter, out: leave, name: turnstile }}
    quota: 50
"""


@dataclass(frozen=True)
class Pull:
    """A line that was pulled: it changed between two moments, Unix microseconds."""

    chip: str
    offset: int
    is_high: bool
    begin: int
    end: int
    changes: bool = True
    """Whether it was not so before."""


@dataclass(frozen=True)
class Sample:
    """A sample as it was received; `place` orders all of them as the agent read them."""

    place: tuple[int, int, int]
    device: str
    time: int
    values: dict
    bad: dict
    raw: dict

    @property
    def epoch(self) -> int:
        return self.place[0]

    def count(self) -> int | None:
        """The count it tells, trusted or not."""
        return self.values.get("count", self.raw.get("count"))


@dataclass(frozen=True)
class Told:
    """An event as it was received."""

    place: tuple[int, int, int]
    source: str
    time: int
    type: str
    details: dict

    @property
    def epoch(self) -> int:
        return self.place[0]

    @property
    def state(self) -> str | None:
        return self.details.get("state")


@dataclass
class Life:
    """The agent from a start to its end."""

    epoch: int
    opened: int
    """When it had its lines, Unix microseconds."""
    ended: int | None = None
    how: str | None = None
    """`kill`, `cut` or `stop`."""
    suspects: set[str] = field(default_factory=set)
    """Lines whose edges the driver made more than the kernel keeps."""


class Records:
    """What was received so far, each batch once."""

    def __init__(self):
        self.samples: list[Sample] = []
        self.events: list[Told] = []
        self._seen: set[tuple] = set()

    def take(self, payload: bytes | str) -> None:
        batch = json.loads(payload)
        words = ("store", "stream", "epoch", "seq")
        key = (*(batch[word] for word in words), tuple(batch.get("part", ())))
        if key in self._seen:
            return
        self._seen.add(key)
        part = batch.get("part", [0])[0]
        for number, it in enumerate(batch.get("samples", ())):
            place = (batch["epoch"], batch["seq"], part << 20 | number)
            fields = (it.get(word, {}) for word in ("values", "bad", "raw"))
            self.samples.append(Sample(place, it["device"], it["time"], *fields))
        for number, it in enumerate(batch.get("events", ())):
            place = (batch["epoch"], batch["seq"], number)
            self.events.append(Told(place, it["source"], it["time"], it["type"], it))

    def of(self, device: str, since: int = 0, until: int | None = None) -> list[Sample]:
        """Samples of a device by times in microseconds, in their order."""
        last = float("inf") if until is None else until
        found = (s for s in self.samples if s.device == device and since <= s.time * 1000 <= last)
        return sorted(found, key=lambda sample: sample.place)

    def told(self, source: str, state: str | None = None, since: int = 0) -> list[Told]:
        """Events about a line or area, since a time in microseconds."""
        return [
            event for event in self.events
            if event.source == source and event.time * 1000 >= since
            and (state is None or event.state == state)
        ]


class GpioRig(GuestRig):
    """As `GuestRig`, with simulated chips in the machine in place of simulated stations."""

    def __init__(self, setting: Setting):
        super().__init__(setting, "", stations=0)
        self.records = Records()
        self.pulls: list[Pull] = []
        self.lives: list[Life] = []
        self._read_to = 0
        self._trains = itertools.count(1)
        self._is_high: dict[tuple[str, int], bool] = {}

    def _field_side(self) -> str:
        return "lines:\n" + "".join(line.configuration() for line in LINES.values()) + _AREAS

    def _start_field(self) -> None:
        """The chips are the machine's own."""

    @property
    def library(self) -> str:
        """The file of the library that the agent runs with."""
        words = ["ldd", str(self._program("edge-agent"))]
        lines = subprocess.run(words, capture_output=True, text=True).stdout.splitlines()
        for words in map(str.split, lines):
            if words[0].startswith("libgpiod.so.") and len(words) > 2:
                return Path(os.path.realpath(words[2])).name
        raise RunFailed("the agent has no libgpiod")

    @property
    def library_version(self) -> int:
        """1 or 2: of 1.x the library's file is `libgpiod.so.2`."""
        return 1 if self.library.startswith("libgpiod.so.2") else 2

    # The agent's lives

    def start_agent(self) -> None:
        """Switches the machine on, puts the chips in, and starts the agent; returns once it reads."""
        self.boot()
        self.agent.wait_until_booted()
        for label in CHIPS:
            self.make_chip(label)
        self.start_again()

    def start_again(self, without: Iterable[str] = ()) -> None:
        """Starts the agent in the machine that runs; `without` are the lines that it can't get."""
        self.starts += 1
        words = [self._program("edge-agent"), "run", "-c", self.configuration]
        environment = {"EDGE_AGENT_BOARDS": str(SOURCE_TREE / "boards")}
        self.pid = self.agent.start(words, environment, True)
        self.wait_until_open(line for name, line in LINES.items() if name not in set(without))
        for line in LINES.values():
            # A request with a bias is a pull to the simulator.
            if "bias" in line.options:
                self._is_high[line.chip, line.offset] = "pull-up" in line.options
        before = self.lives[-1].epoch if self.lives else 0
        began = self.now()

        def is_read() -> bool:
            new = [sample for sample in self.read().samples if sample.epoch > before]
            return {sample.device for sample in new} >= {*LINES, AREA}

        wait_until("every line and area has a sample of the new start", is_read, self.patience)
        self.lives.append(Life(max(s.epoch for s in self.records.samples), began))

    def wait_until_open(self, lines: Iterable[Line]) -> None:
        """Returns when the kernel says that all of these are taken."""
        for line in lines:
            def is_taken() -> bool:
                self.check_agent()
                return "used" in self.agent.call("line", line.chip, line.offset)["flags"]

            wait_until(f"{line.name} is taken", is_taken, self.patience)

    def kill_agent(self) -> None:
        """As `kill -9` in the machine."""
        self._end(self.agent.call("signal", 9)["at"], "kill")

    def cut(self) -> None:
        """Cuts the machine's power."""
        at = time.time_ns() // 1000
        self.agent.kill()
        self._end(at, "cut")

    def _end(self, at: int, how: str) -> None:
        self.lives[-1].ended, self.lives[-1].how = at, how

    # The lines

    def make_chip(self, label: str) -> None:
        """Puts a chip in, all lines low."""
        self.agent.call("make_chip", label, CHIPS[label], NAMED.get(label, {}))
        self._is_high = {place: high for place, high in self._is_high.items() if place[0] != label}

    def pull(self, *steps: tuple[str, bool, int]) -> list[Pull]:
        """Pulls lines of one chip: (line, whether high, milliseconds to wait before)."""
        path = self.pull_on(steps)
        seconds = 30 + sum(wait for _, _, wait in steps) / 1000
        self.agent.call("wait_for_pulls", seconds=seconds)
        return self.take_pulls(path, LINES[steps[0][0]].chip)

    def _note(self, label: str, pulls: Iterable[Sequence[int]]) -> list[Pull]:
        noted = []
        for offset, is_high, begin, end in pulls:
            changes = self._is_high.get((label, offset), False) != bool(is_high)
            self._is_high[label, offset] = bool(is_high)
            noted.append(Pull(label, offset, bool(is_high), begin, end, changes))
        self.pulls += noted
        return noted

    def pull_on(self, steps: Sequence[tuple[str, bool, int]]) -> Path:
        """The same without waiting; `take_pulls` of the path returns what was pulled."""
        label = LINES[steps[0][0]].chip
        words = [[wait, LINES[name].offset, is_high] for name, is_high, wait in steps]
        path = self.directory / f"pulls-{next(self._trains)}.txt"
        steps_path = path.with_suffix(".json")
        steps_path.write_text(json.dumps(words))
        self.agent.call("pull", label, str(steps_path), str(path))
        return path

    def take_pulls(self, path: Path, label: str = "sim-a") -> list[Pull]:
        """What of it was pulled."""
        lines = path.read_text().splitlines() if path.exists() else []
        # The last one may be cut off with the power.
        words = [line.split() for line in lines]
        return self._note(label, [tuple(map(int, pull)) for pull in words if len(pull) == 4])

    def is_high(self, name: str) -> bool:
        """Whether a line is."""
        line = LINES[name]
        return self._is_high.get((line.chip, line.offset), False)

    def is_active(self, name: str) -> bool:
        return self.is_high(name) != LINES[name].is_active_low

    def now(self) -> int:
        """The machine's wall clock, Unix microseconds."""
        return self.agent.call("clock")["ns"] // 1000

    # What comes of it

    def read(self) -> Records:
        """All that was received until now."""
        words = "select id, payload from message where id > ? and retained = 0 and "
        words += "(topic like '%/data' or topic like '%/data/history' "
        words += "or topic like '%/events' or topic like '%/events/history') order by id"
        for number, payload in self._query(words, self._read_to):
            self._read_to = number
            self.records.take(payload)
        return self.records

    def wait_for(self, what: str, holds: Callable[[Records], bool], seconds: float) -> None:
        """Returns once it holds of what was received."""
        wait_until(what, lambda: holds(self.read()), seconds + self.setting.slack)

    def settle(self, *devices: str, seconds: float = 10) -> int:
        """Returns a time, Unix microseconds, when all that these devices read before has come."""
        at = self.now()

        def has_come(records: Records) -> bool:
            return all(records.of(device, since=at + 1000) for device in devices)

        self.wait_for(f"newer samples of {', '.join(devices)}", has_come, seconds)
        return at

    def faults(self) -> dict[str, str]:
        """The faults that the newest health names."""
        return self._newest("health").get("faults", {})

    def command(self, *words: str) -> dict:
        """Runs one of the agent's commands in the machine."""
        answer = self.agent.call("run", [str(self._program("edge-agent")), *words])
        if answer["status"]:
            raise RunFailed(f"edge-agent {' '.join(words)}: {answer['errors']}")
        return answer

    def finish(self) -> None:
        """Stops all in order, once everything was received."""
        self.settle(*LINES, AREA)
        at = self.now()
        self.agent_status = self.agent.stop(self.patience)
        self._end(at, "stop")
        wait_until(
            "the agent's last word is received",
            lambda: self._newest("state").get("since", 0) * 1000 >= at,
            self.patience,
        )
        self._receiver.stop(self.patience)
        self.read()
