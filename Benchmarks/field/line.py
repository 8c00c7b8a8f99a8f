"""A line between a master and its units on which answers suffer what a plan says."""

import asyncio
import json
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Callable, Protocol

from field.faults import Treatment, Way, treat
from field.framing import Frame


class Units(Protocol):
    """Who answers."""

    async def ask(self, request: Frame) -> tuple[Frame | None, int]:
        """The answer, if there is one, and a number that the record of the request bears."""


@dataclass(frozen=True)
class Spell:
    """From one second to another a unit's answers suffer faults of these kinds, by this share."""

    begin: float
    end: float
    unit: int
    """0 for every unit."""
    kinds: tuple[str, ...]
    share: float

    @staticmethod
    def of(words: dict[str, Any]) -> "Spell":
        return Spell(
            words.get("begin", 0), words.get("end", 1e9), words.get("unit", 0),
            tuple(words["kinds"]), words.get("share", 1),
        )

    def covers(self, unit: int, second: float) -> bool:
        return self.unit in (0, unit) and self.begin <= second < self.end


class Plan:
    """Which fault an answer gets. All randomness is of the seed."""

    def __init__(self, spells: list[Spell], random: Random):
        self._spells = spells
        self._random = random
        self._begin = time.monotonic()

    def kind(self, request: Frame) -> str:
        second = time.monotonic() - self._begin
        for spell in self._spells:
            if spell.covers(request.unit, second) and self._random.random() < spell.share:
                return self._random.choice(spell.kinds)
        return "none"


class Log:
    """A line of JSON for each request and what became of its answer."""

    def __init__(self, path: Path | None):
        self._file = open(path, "a", buffering=1) if path else None

    def write(self, **record) -> None:
        if self._file:
            self._file.write(json.dumps(record) + "\n")


class FaultyLine:
    """What one master is connected to."""

    def __init__(
        self, way: Way, units: Units, plan: Plan, random: Random, log: Log,
        write: Callable[[bytes], None],
    ):
        self._way, self._units, self._plan, self._random = way, units, plan, random
        self._log, self._write = log, write
        self._received = bytearray()
        self._held: list[tuple[Treatment, dict]] = []
        self._tasks: set[asyncio.Task] = set()
        # Frames of a stream don't mix; on a line those of two units can.
        self._stream = asyncio.Lock() if way.framing.name == "tcp" else None

    async def take(self, data: bytes) -> None:
        """Takes bytes of the master's."""
        self._received += data
        while (request := self._way.framing.take_request(self._received)) is not None:
            self._release("request")
            record = {
                "asked": time.time() * 1000, "unit": request.unit, "function": request.function,
                "address": request.address, "count": request.count,
            }
            answer, record["number"] = await self._units.ask(request)
            record["fault"] = self._plan.kind(request)
            if answer is None:
                self._log.write(**record, fate="no such unit")
                continue
            self._treat(record, request, answer)

    def _treat(self, record: dict, request: Frame, answer: Frame) -> None:
        treatment = treat(record["fault"], self._way, request, answer, self._random)
        record["unseen"] = treatment.is_unseen
        if treatment.held_until:
            # Of two that wait, the older is lost.
            self._held = [held for held in self._held if held[0].held_until == "answer"][-1:]
            self._held.append((treatment, record))
            return
        before = b""
        if treatment.steps:
            before = self._take_held("answer")
        task = asyncio.ensure_future(self._send(treatment, record, before))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _release(self, moment: str) -> None:
        data = self._take_held(moment)
        if data:
            self._write(data)

    def _take_held(self, moment: str) -> bytes:
        data = b""
        for treatment, record in [held for held in self._held if held[0].held_until == moment]:
            self._held.remove((treatment, record))
            self._log.write(**record, sent=time.time() * 1000)
            data += treatment.held
        return data

    async def _send(self, treatment: Treatment, record: dict, before: bytes) -> None:
        steps = treatment.steps
        if not steps:
            self._log.write(**record, sent=None)
            return
        await asyncio.sleep(steps[0].pause)
        if self._stream:
            async with self._stream:
                await self._send_steps(steps, before)
        else:
            await self._send_steps(steps, before)
        self._log.write(**record, sent=time.time() * 1000)

    async def _send_steps(self, steps, before: bytes) -> None:
        self._write(before + steps[0].data)
        for step in steps[1:]:
            await asyncio.sleep(step.pause)
            self._write(step.data)

    def close(self) -> None:
        """The master is gone: nothing more is sent, and what was held is recorded."""
        for task in list(self._tasks):
            task.cancel()
        for _, record in self._held:
            self._log.write(**record, sent=None)
        self._held = []
