"""What the driver asks of a contestant."""

from abc import ABC, abstractmethod
from pathlib import Path


class Contestant(ABC):
    """A program that reads a `Mine` and publishes to a broker on loopback.

    Made anew for each case. `directory` is its own: configuration, logs; `storage` is where it may
    keep what it stores (a file system of its own where the machine allows that, so that what it
    writes to the block device can be told).
    """

    #: As in the tables.
    name: str
    #: What stores it has: "none" or in words, for the tables.
    store: str
    #: Seconds after its first value until it is at its steady state.
    warm_up = 5.0
    #: Points that it can be configured with; None for no limit. More values a second than that are
    #: then read of fewer points, more often.
    most_points: int | None = None
    #: Cases that it takes part in; None for all.
    only_cases: tuple[str, ...] | None = None

    def __init__(self, mine, broker_port, directory: Path, storage: Path):
        self.mine = mine
        self.broker_port = broker_port
        self.directory = directory
        self.storage = storage

    @classmethod
    def version(cls) -> str:
        """Of the program, in a few words. Called after `install`."""
        return ""

    @classmethod
    def install(cls) -> None:
        """Installs what it needs, once; raises `Unavailable` with the reason where that fails."""

    @abstractmethod
    def prepare(self) -> None:
        """Writes its configuration."""

    @abstractmethod
    def command(self) -> list[str]:
        """Starts it in the foreground; the driver adds nothing and sends SIGTERM to end it."""

    def environment(self) -> dict[str, str]:
        """Variables in addition to the driver's."""
        return {}

    def broker_configuration(self) -> str:
        """Lines for mosquitto.conf in addition to the driver's (an ACL, say)."""
        return ""

    def companions(self) -> list[list[str]]:
        """Commands of programs that run beside it all the time and are not measured with it."""
        return []

    @abstractmethod
    def readings(self, topic: str, payload: bytes, is_retained: bool):
        """The `Reading`s of one message, in its order; none where it carries no values."""


class Unavailable(Exception):
    """A contestant can't run here, with the reason."""
