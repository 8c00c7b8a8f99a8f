"""The agent of this repository, with its store synced each second."""

import json
import subprocess

from ..mine import Reading
from ..programs import agent_program
from .contestant import Contestant, Unavailable

_CONFIGURATION = """\
gateway: {{ id: gw-bench, mine: "520201000123", region: "520201", name: bench }}
storage:
  directory: {storage}/store
  data: {{ size: 512MiB, commit: 1s }}
  events: {{ size: 8MiB }}
control: {{ socket: {directory}/control.sock }}
uplinks:
  province: {{ url: "mqtt://127.0.0.1:{port}"{uplink} }}
"""


class Agent(Contestant):
    """As a user would have it: what is not said here is at its default."""

    name = "agent"
    store = "journal, synced each second"
    most_points = 65_536
    #: Of the destination, in addition to its URL.
    uplink = ""

    @classmethod
    def install(cls) -> None:
        program = agent_program("edge-agent")
        if not program.exists():
            raise Unavailable(f"there is no {program}; build it with swift build -c release")

    @classmethod
    def version(cls) -> str:
        command = [str(agent_program("edge-agent")), "--version"]
        result = subprocess.run(command, capture_output=True, text=True, timeout=10)
        return result.stdout.strip()

    def prepare(self) -> None:
        profile = self.directory / "boards/devices/bench/points.yaml"
        profile.parent.mkdir(parents=True)
        lines = ["description: points of the bench", "source: the bench", "points:"]
        for point in range(self.mine.points):
            lines.append(f"  p{point}: {{ holding: {2 * point}, type: float32, unit: none }}")
        profile.write_text("\n".join(lines) + "\n")
        lines = ["buses:"]
        for station in range(self.mine.stations):
            port = self.mine.port(station)
            lines.append(f"  s{station}: {{ tcp: {{ host: 127.0.0.1, port: {port} }} }}")
        lines.append("devices:")
        every = f"{round(self.mine.interval * 1000)}ms"
        for station, unit in self.mine.devices():
            lines.append(
                f"  d-{station}-{unit}: {{ bus: s{station}, unit: {unit}, every: {every}, "
                "profile: bench/points }"
            )
        text = _CONFIGURATION.format(
            storage=self.storage,
            directory=self.directory,
            port=self.broker_port,
            uplink=self.uplink,
        )
        (self.directory / "agent.yaml").write_text(text + "\n".join(lines) + "\n")

    def environment(self) -> dict[str, str]:
        return {"EDGE_AGENT_BOARDS": str(self.directory / "boards")}

    def command(self) -> list[str]:
        configuration = str(self.directory / "agent.yaml")
        return [str(agent_program("edge-agent")), "run", "-c", configuration]

    def readings(self, topic: str, payload: bytes, is_retained: bool) -> list[Reading]:
        is_history = topic.endswith("/data/history")
        if not is_history and not topic.endswith("/data"):
            return []
        found = []
        for sample in json.loads(payload)["samples"]:
            _, station, unit = sample["device"].split("-")
            for point, value in sample["values"].items():
                found.append(
                    Reading(int(station), int(unit), int(point[1:]), int(value), is_history)
                )
        return found


class AgentUnlimited(Agent):
    """The agent with no limit on how fast a backlog is sent: for the time to drain alone."""

    name = "agent-unlimited"
    store = "journal, synced each second; history rate unlimited"
    only_cases = ("outage",)
    uplink = ", history: { rate: unlimited }"
