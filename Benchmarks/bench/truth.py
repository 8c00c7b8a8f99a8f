"""What the slave served, and the account of what became of it, value by value."""

import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .mine import Mine, Reading

_RECORD = struct.Struct("<QHBBHH")
_NANOSECONDS = 1_000_000_000
#: A value so far above what is known to be served is none of the slave's (its file lags a little).
_PLAUSIBLE_LEAD = 1000


class Truth:
    """The slave's file replayed: when each value of each point was served.

    `times[i][v - 1]` is the monotonic time in nanoseconds at which value `v` of point `i` was
    sent, where `i` counts the points of the mine by station, unit, point.
    """

    def __init__(self, path: Path, mine: Mine):
        self.mine = mine
        self.times = [array("Q") for _ in range(mine.total_points)]
        self.newest_ns = 0
        """When the last record that was taken from the file was served."""
        self._path = path
        self._offset = 0

    def update(self) -> None:
        """Takes what the slave has written since the last call."""
        with open(self._path, "rb") as file:
            file.seek(self._offset)
            data = file.read()
        data = data[: len(data) - len(data) % _RECORD.size]
        self._offset += len(data)
        if data:
            self.newest_ns = _RECORD.unpack_from(data, len(data) - _RECORD.size)[0]
        self.replay(_RECORD.iter_unpack(data))

    def replay(self, requests: Iterable[tuple[int, int, int, int, int, int]]) -> None:
        """Requests as (time, station, unit, function, address, count), in order."""
        units, points, times = self.mine.units, self.mine.points, self.times
        for time, station, unit, _, address, count in requests:
            base = (station * units + unit - 1) * points
            first = address // 2
            for index in range(base + first, base + min(points, first + count // 2)):
                times[index].append(time)

    def index(self, reading: Reading) -> int | None:
        """Of a reading's point; None if the mine has no such point."""
        mine = self.mine
        if not (
            0 <= reading.station < mine.stations
            and 1 <= reading.unit <= mine.units
            and 0 <= reading.point < mine.points
        ):
            return None
        return (reading.station * mine.units + reading.unit - 1) * mine.points + reading.point

    def missed_cycles(self, since: int, until: int) -> int:
        """Readings that did not take place between two times, of all points.

        A gap of more than one and a half intervals between two readings of a point counts as the
        cycles that are missing in it; so do the gaps to both ends of the window. Who is only a
        little late each time has no such gap, but too few readings: one fewer is taken for phase.
        """
        interval = self.mine.interval * _NANOSECONDS
        expected = int((until - since) / interval) - 1
        missed = 0
        for times in self.times:
            last = since
            count = in_gaps = 0
            for time in times:
                if time < since:
                    continue
                if time > until:
                    break
                if time - last > 1.5 * interval:
                    in_gaps += round((time - last) / interval) - 1
                last = time
                count += 1
            if until - last > 1.5 * interval:
                in_gaps += round((until - last) / interval) - 1
            missed += max(in_gaps, expected - count, 0)
        return missed

    def readings_too_few(self, since: int, until: int) -> int:
        """Cycles without a reading between two times, of all points, for whoever keeps its phase.

        It reads at most once in each cycle, so what is missing is missed, and a reading that is late
        in its cycle is not; at an interval of a millisecond a gap tells no more. One fewer is taken
        for phase.
        """
        expected = int((until - since) / (self.mine.interval * _NANOSECONDS)) - 1
        return sum(
            max(0, expected - (bisect_right(times, until) - bisect_left(times, since)))
            for times in self.times
        )


@dataclass
class Result:
    """The account of the values that were served in a window."""

    served: int = 0
    delivered: int = 0
    repeated: int = 0
    out_of_order: int = 0
    unknown: int = 0
    """Readings of values that the slave never served, or of no point of the mine; at any time."""
    lost_times: list[int] = field(default_factory=list)
    """When each lost value was served."""
    latencies: list[int] = field(default_factory=list)
    """From the slave's answer to the first arrival, in nanoseconds, ascending."""

    @property
    def lost(self) -> int:
        return len(self.lost_times)

    def lost_outside(self, since: int, until: int) -> int:
        return sum(not since <= time <= until for time in self.lost_times)

    def latency_ms(self, quantile: float) -> float | None:
        """Milliseconds within which so much of the first arrivals came; None if there is none."""
        if not self.latencies:
            return None
        rank = min(len(self.latencies) - 1, int(quantile * len(self.latencies)))
        return self.latencies[rank] / 1e6


class Account:
    """What arrived, held against what was served."""

    def __init__(self, truth: Truth):
        self.truth = truth
        self.received = 0
        """Readings, repeats too."""
        count = truth.mine.total_points
        self._first = [array("Q") for _ in range(count)]
        # Newest value that arrived of each point: live, and marked as history.
        self._newest = ([0] * count, [0] * count)
        self._repeated: list[tuple[int, int]] = []
        self._out_of_order: list[tuple[int, int]] = []
        self._unknown = 0

    def take(
        self, time: int, readings: Iterable[Reading], is_duplicate: bool = False
    ) -> None:
        """The readings of one message that arrived at `time` (nanoseconds, monotonic).

        What a duplicate brings again is the broker's repetition, not the contestant's.
        """
        for reading in readings:
            self.received += 1
            index = self.truth.index(reading)
            value = reading.value
            if index is None or not (
                1 <= value <= len(self.truth.times[index]) + _PLAUSIBLE_LEAD
            ):
                self._unknown += 1
                continue
            first = self._first[index]
            if len(first) < value:
                first.frombytes(bytes(first.itemsize * (value - len(first))))
            if first[value - 1]:
                if not is_duplicate:
                    self._repeated.append((index, value))
                continue
            first[value - 1] = time
            newest = self._newest[reading.is_history]
            if value < newest[index]:
                self._out_of_order.append((index, value))
            else:
                newest[index] = value

    def first_arrival(self, index: int, value: int) -> int:
        """When a value arrived first; 0 if it has not."""
        first = self._first[index]
        return first[value - 1] if value <= len(first) else 0

    def result(self, since: int, until: int, arrived_by: int | None = None) -> Result:
        """Of the values served from `since` to `until`; what came after `arrived_by` is lost."""
        result = Result(unknown=self._unknown)
        for index, times in enumerate(self.truth.times):
            first = self._first[index]
            result.unknown += sum(1 for value in first[len(times) :] if value)
            for value, time in enumerate(times):
                if not since <= time <= until:
                    continue
                result.served += 1
                arrival = first[value] if value < len(first) else 0
                if arrival and (arrived_by is None or arrival <= arrived_by):
                    result.delivered += 1
                    result.latencies.append(arrival - time)
                else:
                    result.lost_times.append(time)
        result.latencies.sort()
        result.repeated = self._within(self._repeated, since, until)
        result.out_of_order = self._within(self._out_of_order, since, until)
        return result

    def _within(self, values: list[tuple[int, int]], since: int, until: int) -> int:
        times = self.truth.times
        return sum(
            value <= len(times[index]) and since <= times[index][value - 1] <= until
            for index, value in values
        )

    def fresh_after(self, moment: int) -> tuple[int | None, int | None]:
        """First arrival of a value served after `moment`: of any point, and of the last point.

        The second is None while a point has none.
        """
        arrivals = []
        for index, times in enumerate(self.truth.times):
            own = [
                arrival
                for value, arrival in enumerate(self._first[index])
                if arrival and value < len(times) and times[value] > moment
            ]
            arrivals.append(min(own, default=None))
        known = [arrival for arrival in arrivals if arrival is not None]
        if not known:
            return None, None
        return min(known), max(known) if len(known) == len(arrivals) else None

    def first_arrival_after(self, moment: int) -> int | None:
        """When the first value came that came after `moment`, whenever it was served."""
        later = (time for first in self._first for time in first if time > moment)
        return min(later, default=None)

    def last_arrival_served_before(self, moment: int, since: int = 0) -> int | None:
        """When the last of the values that were served in that time, and came, came first."""
        last = 0
        for index, times in enumerate(self.truth.times):
            for arrival, time in zip(self._first[index], times):
                if since <= time <= moment and arrival > last:
                    last = arrival
        return last or None
