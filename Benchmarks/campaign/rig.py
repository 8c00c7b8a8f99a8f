"""The whole way on real parts: simulator, agent, broker, receiver, each a process of its own."""

import json
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from pathlib import Path

from campaign.account import Account
from campaign.growth import Measure, measure
from campaign.link import Link
from campaign.programs import Program, RunFailed, free_ports, is_listening, program, wait_until
from campaign.scenario import Setting

SOURCE_TREE = Path(__file__).resolve().parents[2]

COMMIT = 1.0
"""Seconds: the `commit` of the agent's store."""

MINE = """\
stations:
  station: {{ repeat: {stations}, port: 15000 }}
devices:
  sensor:
    repeat: {stations}
    station: station
    unit: 1
    every: {every}
    points:
      ch4:
        repeat: {points}
        input: 0
        type: float32
        unit: "%CH4"
        signal: {{ methane: {{ base: 0.3, noise: 0.05, burst: 0.8, burst-every: 20s }} }}
"""

_AGENT = """\
gateway: {{ id: gw-campaign, mine: "520201000123", region: "520201", name: campaign }}
storage:
  directory: {store}
  data: {{ size: 256MiB, commit: {commit:g}s }}
  events: {{ size: 16MiB }}
control: {{ socket: {socket} }}
uplinks:
  province: {{ url: mqtt://127.0.0.1:{port}, client-id: campaign, history: {{ rate: unlimited }} }}
"""

# The receiver's session survives the broker's orderly restart, and nothing is dropped for it.
_BROKER = """\
listener {port} 127.0.0.1
allow_anonymous true
user root
persistence true
persistence_location {directory}/
max_queued_messages 0
log_type error
log_type warning
log_type notice
log_type subscribe
"""


class Rig:
    """Parts in one directory. Used as a context: in the end no process is left."""

    def __init__(
        self, setting: Setting, scenario: str, stations: int, linked: bool = False,
        commit: float = COMMIT,
    ):
        """`scenario` is the simulator's; with `linked` the agent reaches the broker over a link;
        `commit`, in seconds, is the agent's."""
        self.setting = setting
        self.directory = setting.directory
        self._store, self._socket = self._places()
        self.patience = 15 + 2 * setting.slack
        self.broker_port = free_ports()
        self._scenario = self._write("scenario.yaml", scenario)
        self._broker_file = self._write(
            "mosquitto.conf", _BROKER.format(port=self.broker_port, directory=self.directory)
        )
        self.broker: Program | None = None
        self.agent: Program | None = None
        self._others: list[Program] = []
        self.link = Link(free_ports(), self.broker_port) if linked else None
        self._stations = stations
        self._station_ports = free_ports(stations)
        port = self.link.port if self.link else self.broker_port
        head = _AGENT.format(store=self._store, socket=self._socket, commit=commit, port=port)
        self.configuration = self._write("agent.yaml", head + self._field_side())
        self.starts = 0

    _truth_options: tuple[str, ...] = ()

    def __enter__(self) -> "Rig":
        return self

    def __exit__(self, *_) -> None:
        for part in (self.agent, *self._others, self.broker):
            if part is not None:
                part.kill()
        if self.link:
            self.link.close()

    def _places(self) -> tuple[Path, Path]:
        """Where the agent's store and its control socket are."""
        return self.directory / "store", self.directory / "control.sock"

    def _write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.write_text(text)
        return path

    def _program(self, name: str) -> Path:
        return self.setting.programs / name

    def _field_side(self) -> str:
        words = [self._program("mine-simulator"), "agent-configuration", self._scenario]
        words += ["--ports-from", str(self._station_ports)]
        result = subprocess.run(words, capture_output=True, text=True, timeout=60)
        if result.returncode:
            raise RunFailed(f"mine-simulator takes no such scenario: {result.stderr}")
        return result.stdout

    # Parts

    def start_all(self) -> None:
        """Broker, receiver, field side and agent, in this order."""
        self.start_broker()
        receiver = self._start_other(
            "edge-receive", "--url", f"mqtt://127.0.0.1:{self.broker_port}",
            "--store", self.received,
        )
        self._receiver = receiver
        self._start_field()
        self.start_agent()
        self.agent.wait_until_it_prints("runs as", self.patience)

    def _start_field(self) -> None:
        self._simulator = self._start_other(
            "mine-simulator", "run", self._scenario, "--truth", self.truth,
            "--ports-from", str(self._station_ports),
        )

    def _start_other(self, name: str, *arguments: str | Path) -> Program:
        part = Program([self._program(name), *arguments], self.directory / f"{name}.log")
        self._others.append(part)
        part.wait_until_it_prints("ready\n", self.patience)
        return part

    def start_agent(self) -> None:
        """Returns when it was started, not when it runs."""
        self.starts += 1
        self.agent = Program(
            [self._program("edge-agent"), "run", "-c", self.configuration],
            self.directory / "edge-agent.log",
            {"EDGE_AGENT_BOARDS": str(SOURCE_TREE / "boards")},
        )

    def start_broker(self, waits: bool = False) -> None:
        """Returns once it takes connections; with `waits` the link does not yet."""
        self.broker = Program(
            [program("mosquitto"), "-c", self._broker_file], self.directory / "mosquitto.log"
        )
        broker = self.broker

        def listens() -> bool:
            if not broker.is_running:
                raise RunFailed(f"mosquitto ended: {broker.printed()}")
            return is_listening(self.broker_port)

        wait_until("mosquitto listens", listens, self.patience)
        if self.link and not waits:
            self.link.refuse(False)

    def stop_broker(self) -> None:
        """In order: it takes leave of its clients and writes its sessions down."""
        if self.link:
            self.link.refuse()
        self.broker.stop(self.patience)

    def kill_broker_keeping_account(self) -> None:
        """Kills the broker without a loss that would be its own.

        It forgets what it acknowledged, so first no acknowledgement reaches the agent any more,
        then the receiver gets what was acknowledged; what comes meanwhile is unacknowledged.
        """
        self.link.carry(up=True, down=False)
        self._wait_until_receiver_rests()
        self.broker.kill()
        self.link.refuse()
        self.link.cut()
        self.link.carry()
        # What it had once written down is older than what it acknowledged.
        (self.directory / "mosquitto.db").unlink(missing_ok=True)

    def revive_broker(self) -> None:
        """Starts a killed broker; the agent may connect once the receiver has subscribed again."""
        self.start_broker(waits=True)
        self.broker.wait_until_it_prints("edge-receive 1 ", self.patience)
        self.link.refuse(False)

    def _wait_until_receiver_rests(self) -> None:
        """The agent's window is full within a moment, and then nothing more comes."""
        last, since = self._received_count(), time.monotonic()
        end = since + self.patience
        # It may be its disk that it waits for.
        rest = 0.6 + self.setting.slack
        while time.monotonic() < min(end, since + rest):
            time.sleep(0.05)
            count = self._received_count()
            if count != last:
                last, since = count, time.monotonic()
        if time.monotonic() >= end:
            raise RunFailed("the receiver gets more and more, though nothing is acknowledged")

    def check_agent(self) -> None:
        """Raises if the agent ended by itself."""
        if not self.agent.is_running:
            raise RunFailed(f"the agent ended by itself; see {self.agent.log}")

    def measure(self, second: float) -> Measure:
        """What the agent has open now."""
        self.check_agent()
        return measure(self.agent.pid, second)

    # What was received

    @property
    def received(self) -> Path:
        """The receiver's store."""
        return self.directory / "received.sqlite"

    @property
    def truth(self) -> Path:
        """What the simulator served."""
        return self.directory / "served.jsonl"

    def _query(self, words: str, *values) -> list[tuple]:
        base = sqlite3.connect(f"file:{self.received}?mode=ro", uri=True, timeout=10)
        try:
            return base.execute(words, values).fetchall()
        finally:
            base.close()

    def _received_count(self) -> int:
        return self._query("select coalesce(max(id), 0) from message")[0][0]

    def most_copies(self) -> int:
        """How often the batch of data that was sent most often came."""
        words = "select coalesce(max(copies), 0) from batch where stream = 'data'"
        return self._query(words)[0][0]

    def _newest(self, topic: str) -> dict:
        words = "select payload from message where topic like ? order by id desc limit 1"
        rows = self._query(words, f"%/{topic}")
        return json.loads(rows[0][0]) if rows else {}

    def events(self) -> list[dict]:
        """Every event that was received, each once."""
        words = "select payload from message where topic like '%/events' "
        words += "or topic like '%/events/history'"
        seen: dict[str, dict] = {}
        for (payload,) in self._query(words):
            for event in json.loads(payload)["events"]:
                seen.setdefault(event["id"], event)
        return list(seen.values())

    def event_counts(self) -> dict[str, int]:
        """Events by type."""
        return dict(sorted(Counter(event["type"] for event in self.events()).items()))

    # The end

    def _destination(self) -> dict:
        """What the agent says of its destination; nothing if it can't say."""
        words = [self._program("edge-agent"), "status", "--json", "--socket", self._socket]
        try:
            return json.loads(self._output(words))["destinations"][0]
        except (subprocess.TimeoutExpired, json.JSONDecodeError, KeyError, IndexError):
            return {}

    def _output(self, words: list) -> str:
        """What a program prints that asks the agent."""
        return subprocess.run(words, capture_output=True, text=True, timeout=30).stdout

    @property
    def is_connected(self) -> bool:
        """Whether the agent says so."""
        return bool(self._destination().get("connected"))

    def wait_until_connected(self, seconds: float) -> None:
        wait_until("the agent is connected", lambda: self.is_connected, seconds)

    def renew_destination(self) -> None:
        """Reloads the agent with another client id: it connects at once, whatever it waits for."""
        one, other = "client-id: campaign,", "client-id: campaign-2,"
        text = self.configuration.read_text()
        self.reload(text.replace(one, other) if one in text else text.replace(other, one))

    def reload(self, configuration: str) -> None:
        """Asks the agent to take another configuration; returns at once."""
        # It may still read the file for an earlier request: that finds one or the other, whole.
        new = self.configuration.with_suffix(".new")
        new.write_text(configuration)
        new.replace(self.configuration)
        # Two that are pending would be one.
        wait_until(
            "the agent takes the earlier request to reload",
            lambda: not self.agent.has_pending(signal.SIGHUP),
            self.patience,
        )
        self.agent.send(signal.SIGHUP)

    def finish(self) -> Account:
        """Waits until the backlog is delivered, stops all in order, and accounts."""
        # Each second brings new batches: a few are always on their way.
        few = 20
        self.agent.wait_until_it_prints("runs as", self.patience)

        def is_delivered() -> bool:
            destination = self._destination()
            return bool(destination) and sum(destination["unsent"].values()) < few

        wait_until("the backlog is delivered", is_delivered, 4 * self.patience)
        begin, now = time.monotonic(), time.time_ns() // 1_000_000
        self.agent_status = self.agent.stop(self.patience)
        self.stop_seconds = time.monotonic() - begin
        self._simulator.stop(self.patience)
        # The last batches are at the receiver when it has the agent's last word.
        # Wills of earlier connections say offline too, with an earlier time.
        wait_until(
            "the agent's last word is received",
            lambda: self._newest("state").get("since", 0) >= now,
            self.patience,
        )
        self._receiver.stop(self.patience)
        return self._account()

    def _account(self) -> Account:
        words = [self._program("edge-receive"), "--store", self.received, "--verify"]
        words += ["--truth", self.truth, *self._truth_options, "--json"]
        with open(self.directory / "account.json", "wb") as output:
            result = subprocess.run(words, stdout=output, stderr=subprocess.PIPE, timeout=3600)
        try:
            return Account.of(json.loads((self.directory / "account.json").read_text()))
        except (json.JSONDecodeError, KeyError) as problem:
            words = result.stderr.decode(errors="replace")
            raise RunFailed(f"edge-receive gave no account: {problem!r} {words}") from problem


def freeze(part: Program) -> None:
    part.send(signal.SIGSTOP)


def thaw(part: Program) -> None:
    part.send(signal.SIGCONT)
