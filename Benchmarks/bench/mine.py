"""The mine that every contestant reads: Modbus TCP stations on loopback, all alike."""

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Mine:
    """Stations of units of float32 points, each read once every `interval` seconds.

    Station S (from 0) listens on 127.0.0.1, port `first_port + S`; its units are 1 … `units`. Point
    P (from 0) of a unit stands in the holding registers 2 P and 2 P + 1, high word first. Its value
    is the number of times it has been read, so each value is served once and tells which one it is.
    """

    first_port: int
    stations: int
    units: int
    points: int
    interval: float = 1.0

    def devices(self):
        """(station, unit) of each device."""
        return [(s, u) for s in range(self.stations) for u in range(1, self.units + 1)]

    def port(self, station):
        return self.first_port + station

    @property
    def total_points(self):
        return self.stations * self.units * self.points

    @property
    def points_per_second(self):
        return self.total_points / self.interval


class Reading(NamedTuple):
    """One value as a subscriber got it: which point, and which of its values."""

    station: int
    unit: int
    point: int
    value: int
    is_history: bool = False
    """Marked by the contestant as being of before: it does not claim to be the newest."""
