"""The floor: as little C as can be between libmodbus and libmosquitto."""

from ..mine import Reading
from ..programs import benchmark_program
from .contestant import Contestant, Unavailable


class Floor(Contestant):
    """Reads each device in turn and publishes its values at once; what waits is in memory only."""

    name = "floor"
    store = "none"
    warm_up = 2.0

    @classmethod
    def install(cls) -> None:
        program = benchmark_program("bench-floor")
        if not program.exists():
            raise Unavailable(
                f"there is no {program}; "
                "build it with swift build -c release --package-path Benchmarks"
            )

    @classmethod
    def version(cls) -> str:
        return "C, libmodbus, libmosquitto"

    def prepare(self) -> None:
        """All that it needs is in its command."""

    def command(self) -> list[str]:
        mine = self.mine
        options = {
            "first-port": mine.first_port,
            "stations": mine.stations,
            "units": mine.units,
            "points": mine.points,
            "interval-ms": round(mine.interval * 1000),
            "broker-port": self.broker_port,
        }
        words = [word for key, value in options.items() for word in (f"--{key}", str(value))]
        return [str(benchmark_program("bench-floor")), *words]

    def readings(self, topic: str, payload: bytes, is_retained: bool) -> list[Reading]:
        kind, _, device = topic.partition("/")
        if kind != "floor":
            return []
        station, unit = map(int, device.split("/"))
        return [
            Reading(station, unit, point, int(float(value)))
            for point, value in enumerate(payload.split())
        ]
