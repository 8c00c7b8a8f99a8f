"""What an agent made of a line with faults, value by value, against what was asked and answered."""

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Iterable, NamedTuple

from field.line import Spell
from field.units import Mark, mark

# Milliseconds: times of samples are whole ones, and those of the log are of another process.
TOLERANCE = 2
# A unit whose faults are over is read again within the longest pause of its back-off, and a cycle.
LONGEST_PAUSE = 10_000


class Request(NamedTuple):
    """A request as the line saw it; times in Unix milliseconds."""

    asked: float
    first: int
    end: int
    number: int
    fault: str
    is_unseen: bool
    sent: float | None
    """When the last byte of the answer went; None if it never did."""


class Point(NamedTuple):
    """Where a point stands: a pair of registers, or with `bit` one bit of the number."""

    function: int
    address: int
    bit: int | None = None


class Outcome(NamedTuple):
    time: int
    value: Any
    """None of a bad one."""
    reason: str


@dataclass
class Bus:
    """One bus of the run."""

    name: str
    numbers_transactions: bool
    timeout: float
    """Milliseconds."""
    late_timeouts: float
    spells: list[Spell]
    """Seconds after `begin`."""
    begin: float
    """Unix milliseconds; the log's first line says it."""
    requests: dict[tuple[int, int], list[Request]] = field(default_factory=dict)
    """By unit and function, in their order."""

    def take_log(self, records: Iterable[dict[str, Any]]) -> None:
        for record in records:
            if "begin" in record:
                self.begin = record["begin"]
                continue
            key = (record["unit"], record["function"])
            end = record["address"] + record["count"]
            self.requests.setdefault(key, []).append(
                Request(
                    record["asked"], record["address"], end, record["number"], record["fault"],
                    record.get("unseen", False), record.get("sent"),
                )
            )
        for requests in self.requests.values():
            requests.sort()

    def faults(self) -> dict[str, int]:
        every = [request.fault for requests in self.requests.values() for request in requests]
        return dict(sorted(Counter(every).items()))

    def candidates(self, unit: int, point: Point, time: int) -> list[Request]:
        """The newest request that was asked for a point before a sample's time; two if that was
        so close that it may have been after it."""
        requests = self.requests.get((unit, point.function), [])
        end = bisect_right(requests, time + TOLERANCE, key=lambda request: request.asked)
        address = point.address if point.bit is None else point.bit
        found = []
        for request in reversed(requests[:end]):
            if not request.first <= address < request.end:
                continue
            found.append(request)
            if request.asked <= time - TOLERANCE:
                break
        return found

    def healthy_from(self, unit: int, spell: Spell) -> float:
        return self.begin + 1000 * spell.end

    def is_sick(self, unit: int, time: float) -> bool:
        return any(
            spell.unit == unit and self.begin + 1000 * spell.begin <= time < self.healthy_from(unit, spell)
            for spell in self.spells
        )


@dataclass
class Verdict:
    """What was found on one bus."""

    good: int = 0
    reasons: Counter = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    """Values of another unit, place or time that were delivered as good."""
    unseen: int = 0
    """Of them those that the checksum could not tell."""
    beyond: int = 0
    """Of them those that came later than the master reckons with, on a line without numbers."""
    missing: list[str] = field(default_factory=list)
    """Points that have not an outcome for each cycle."""
    healthy: int = 0
    """Cycles of units without a fault of their own."""
    hurt: Counter = field(default_factory=Counter)
    """Those of them that were bad, by reason."""
    stretches: list[int] = field(default_factory=list)
    """Milliseconds by which two good readings in a row of such units were further apart than due."""
    recoveries: list[int] = field(default_factory=list)
    """Milliseconds from the end of a unit's faults to its next good value."""

    @property
    def hurt_share(self) -> float:
        return sum(self.hurt.values()) / max(1, self.healthy)

    def stretch(self, quantile: float) -> int | None:
        ordered = sorted(self.stretches)
        return ordered[min(len(ordered) - 1, int(quantile * len(ordered)))] if ordered else None


def judge_values(
    bus: Bus, unit: int, point: Point, outcomes: list[Outcome], verdict: Verdict
) -> None:
    """Looks at each good value whether it is the one that was asked for last."""
    for outcome in outcomes:
        if outcome.value is None:
            verdict.reasons[outcome.reason] += 1
            continue
        verdict.good += 1
        requests = bus.candidates(unit, point, outcome.time)
        if any(_is_answer(outcome.value, unit, point, request) for request in requests):
            continue
        if any(request.is_unseen for request in requests):
            verdict.unseen += 1
        elif _is_beyond(bus, unit, point, outcome):
            verdict.beyond += 1
        else:
            words = " or ".join(map(str, requests)) or "nothing"
            said = mark(outcome.value) if point.bit is None else outcome.value
            verdict.wrong.append(
                f"{bus.name} unit {unit} {point} at {outcome.time}: {said} where {words} was asked"
            )


def _is_answer(value: Any, unit: int, point: Point, request: Request) -> bool:
    if point.bit is not None:
        return value == bool(request.number >> point.bit % 16 & 1)
    return mark(value) == Mark(unit, point.address % 256, request.number)


def _is_beyond(bus: Bus, unit: int, point: Point, outcome: Outcome) -> bool:
    """Whether a value is the unit's own answer to a like request, that came later than its late
    answers are reckoned with. A bit doesn't name its request: it is such an answer's only where
    one came between the last asking and the outcome."""
    if bus.numbers_transactions:
        return False
    limit = bus.late_timeouts * bus.timeout
    late = (
        request
        for request in bus.requests.get((unit, point.function), [])
        if request.sent is not None and request.sent - request.asked > limit
    )
    if point.bit is None:
        said = mark(outcome.value)
        return said.unit == unit and any(request.number == said.number for request in late)
    return any(
        _is_answer(outcome.value, unit, point, request)
        and any(
            asked.asked - TOLERANCE <= request.sent <= outcome.time + TOLERANCE
            for asked in bus.candidates(unit, point, outcome.time)
        )
        for request in late
    )


def judge_cycles(
    name: str, outcomes: list[Outcome], every: int, not_read: int, begin: float, end: float,
    verdict: Verdict,
) -> None:
    """Looks whether each cycle has an outcome. `not_read`: those that a gap event names."""
    if not outcomes:
        verdict.missing.append(f"{name}: no outcome at all")
        return
    first, last = outcomes[0].time, outcomes[-1].time
    expected = round((last - first) / every) + 1
    # A reading that is late by nearly a period, and the next in time, make a period too few.
    if abs(len(outcomes) + not_read - expected) > 1:
        verdict.missing.append(f"{name}: {len(outcomes)} outcomes of {expected}")
    if first > begin + 3 * every + 2000:
        verdict.missing.append(f"{name}: the first outcome after {first - begin:.0f} ms")
    if last < end - 3 * every - 2000:
        verdict.missing.append(f"{name}: the last outcome {end - last:.0f} ms before the end")


def judge_neighbours(
    bus: Bus, unit: int, outcomes: list[Outcome], every: int, verdict: Verdict
) -> None:
    """Looks at what a unit suffers while it has no fault itself. A unit recovers with its first
    good value after its faults."""
    spells = sorted(
        (spell for spell in bus.spells if spell.unit == unit), key=lambda spell: spell.end
    )
    recovered = {}
    for spell in spells:
        over = bus.healthy_from(unit, spell)
        back = next((o.time for o in outcomes if o.value is not None and o.time >= over), None)
        recovered[spell] = back if back is not None else float("inf")
        if back is not None:
            verdict.recoveries.append(round(back - over))
    last_good = None
    for outcome in outcomes:
        is_own = any(
            bus.begin + 1000 * spell.begin - every <= outcome.time < recovered[spell]
            for spell in spells
        )
        if is_own:
            last_good = None
            continue
        verdict.healthy += 1
        if outcome.value is None:
            verdict.hurt[outcome.reason] += 1
            continue
        if last_good is not None:
            verdict.stretches.append(max(0, outcome.time - last_good - every))
        last_good = outcome.time
