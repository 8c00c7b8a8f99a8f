"""The whole way with the agent in a machine of its own, whose power can be cut."""

from pathlib import Path

from campaign.machine import Disk, Machine, kernel
from campaign.programs import Program
from campaign.rig import SOURCE_TREE, Rig


class GuestRig(Rig):
    """As `Rig`, but the agent and its store are in the machine; all else is outside."""

    # The agent's monotonic clock is the machine's and begins with each boot.
    _truth_options = ("--wall-time",)
    mount_options = "defaults"

    def __init__(self, *arguments, **options):
        self._linux = kernel()
        super().__init__(*arguments, **options)
        self.disk = Disk()
        self.agent: Machine | None = None

    def _places(self) -> tuple[Path, Path]:
        return self.directory / "disk" / "store", Path("/run/control.sock")

    def __exit__(self, kind, *others) -> None:
        super().__exit__(kind, *others)
        if kind is not None:
            self.keep_disk()
        self.disk.close()

    def keep_disk(self) -> None:
        """Keeps the disk beside the logs, to look at."""
        self.disk.keep(self.directory / "disk.img")

    def boot(self) -> None:
        """Switches the machine on; returns when its kernel was started."""
        ports = [self.broker_port, *range(self._station_ports, self._station_ports + self._stations)]
        self.agent = Machine(
            self._linux, self.disk, self.directory, ports, self.patience, self.mount_options
        )

    def start_agent(self) -> None:
        """Switches the machine on and starts the agent in it."""
        self.boot()
        self.agent.wait_until_booted()
        self.starts += 1
        words = [self._program("edge-agent"), "run", "-c", self.configuration]
        self.pid = self.agent.start(words, {"EDGE_AGENT_BOARDS": str(SOURCE_TREE / "boards")})

    def _output(self, words: list) -> str:
        return self.agent.output(*words)
