"""The mine, the broker and the subscriber around one contestant, for one case."""

import os
import random
import shutil
import signal
import socket
import tempfile
import time
from pathlib import Path

from .contestants.contestant import Contestant
from .mine import Mine
from .processes import Failure, Program
from .programs import benchmark_program
from .records import Records
from .storage import Storage
from .truth import Account, Truth

#: Below what Linux gives to outgoing connections by default (32768 and up), and not those of the
#: driver's own tests, which may run meanwhile: some are chosen a while before they are used.
_PORTS = range(10_000, 20_000)
#: A program of the load is ready at once, but on a machine that has much else to do.
_READY_SECONDS = 30
_BROKER = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {directory}/
autosave_interval 0
max_queued_messages 0
max_queued_bytes 0
max_inflight_messages 1000
set_tcp_nodelay true
log_type error
log_type warning
"""


def free_ports(count: int) -> int:
    """The first of so many consecutive ports on 127.0.0.1 that nobody has."""
    for _ in range(100):
        first = random.randrange(_PORTS.start, _PORTS.stop - count)
        sockets: list[socket.socket] = []
        try:
            for port in range(first, first + count):
                own = socket.socket()
                sockets.append(own)
                own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                own.bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
        finally:
            for own in sockets:
                own.close()
    raise Failure(f"no {count} consecutive free ports on 127.0.0.1")


class Rig:
    """Starts everything but the contestant on entry, and ends all of it on exit.

    `follow` and `account` read what subscriber and slave have written so far.
    """

    def __init__(
        self,
        kind: type[Contestant],
        stations: int = 16,
        units: int = 1,
        points: int = 16,
        interval: float = 1.0,
        keep: bool = False,
    ):
        self._keep = keep
        self._programs: list[Program] = []
        self.directory = Path(tempfile.mkdtemp(prefix="edge-bench-"))
        self.storage = Storage(self.directory / "storage")
        self.mine = Mine(free_ports(stations), stations, units, points, interval)
        self.broker_port = free_ports(1)
        own = self.directory / "contestant"
        own.mkdir()
        self.contestant = kind(self.mine, self.broker_port, own, self.storage.directory)
        self.truth = Truth(self.directory / "truth", self.mine)
        self.account = Account(self.truth)
        self.records = Records(self.directory / "records")
        self.first_value_ns: int | None = None
        """When the first message that carries a value arrived."""
        self.messages = 0
        """Messages of the contestant that carried values."""

    def __enter__(self) -> "Rig":
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _program(self, name: str, command: list[str], **more) -> Program:
        program = Program(name, command, self.directory / f"{name}.log", **more)
        self._programs.append(program)
        return program

    def _start(self) -> None:
        self.storage.open()
        self.contestant.prepare()
        mine, directory = self.mine, self.directory
        shape = [
            *("--first-port", str(mine.first_port)),
            *("--stations", str(mine.stations)),
            *("--units", str(mine.units)),
        ]
        slave = str(benchmark_program("bench-slave"))
        self.slave = self._program("slave", [slave, *shape, "--truth", str(directory / "truth")])
        self.slave.start()
        self.slave.wait_for_line("ready", _READY_SECONDS)
        self.broker = self._program("broker", self._broker_command())
        self.start_broker()
        self.subscriber = self._program(
            "subscriber",
            [
                str(benchmark_program("bench-subscriber")),
                *("--port", str(self.broker_port)),
                *("--client-id", "bench-subscriber"),
                *("--out", str(directory / "records")),
            ],
        )
        self.subscriber.start()
        self.subscriber.wait_for_line("ready", _READY_SECONDS)
        for number, command in enumerate(self.contestant.companions()):
            self._program(f"companion-{number}", command).start()
        self.program = self._program(
            "contestant",
            self.contestant.command(),
            environment=self.contestant.environment(),
            directory=self.contestant.directory,
        )

    def _broker_command(self) -> list[str]:
        data = self.directory / "broker"
        data.mkdir()
        configuration = _BROKER.format(port=self.broker_port, directory=data)
        if os.geteuid() == 0:
            # Else it changes to the user mosquitto, who may not write here.
            configuration += "user root\n"
        configuration += self.contestant.broker_configuration()
        path = self.directory / "mosquitto.conf"
        path.write_text(configuration)
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        return [program, "-c", str(path)]

    def start_broker(self) -> int:
        """Starts the broker; when it took a connection (monotonic ns)."""
        self.broker.start()
        self.broker.wait_for(self._broker_answers, "connection taken", _READY_SECONDS)
        return time.monotonic_ns()

    def _broker_answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.broker_port), timeout=1).close()
        except OSError:
            return False
        return True

    def launch(self) -> None:
        """Starts the contestant, the first time or again."""
        self.program.start()

    def follow(self) -> None:
        """Takes into the account what has been written since the last call."""
        self.truth.update()
        readings = self.contestant.readings
        for message in self.records.new():
            values = readings(message.topic, message.payload, message.is_retained)
            values = values if isinstance(values, list) else list(values or ())
            if values:
                self.messages += 1
                if self.first_value_ns is None:
                    self.first_value_ns = message.time
                self.account.take(message.time, values, message.is_duplicate)

    def wait_for_value(self, seconds: float) -> None:
        """Until the first message with a value is there."""
        deadline = time.monotonic() + seconds
        while self.first_value_ns is None:
            self.program.require_running()
            if time.monotonic() > deadline:
                raise Failure(f"no value within {seconds:g} s: {self.program.tail()}")
            time.sleep(0.05)
            self.follow()

    def warm_up(self, longest: float, until_value: float = 90) -> None:
        """Launches the contestant and waits until it is at its steady state, or so long."""
        self.launch()
        self.wait_for_value(until_value)
        time.sleep(min(self.contestant.warm_up, longest))
        self.program.require_running()

    def finish(self) -> None:
        """Ends slave and subscriber, so that all they know is written, and takes it."""
        for program in (self.slave, self.subscriber):
            if not program.stop():
                raise Failure(f"the {program.name} did not end")
        self.follow()

    def close(self) -> None:
        """Ends all programs; the contestant first, so that it may still say good-bye."""
        # A signal to end the driver waits until all is gone.
        signals = (signal.SIGINT, signal.SIGTERM)
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        try:
            for program in reversed(self._programs):
                program.stop(5)
            self.storage.close()
            if self._keep:
                print(f"kept {self.directory}", flush=True)
            else:
                shutil.rmtree(self.directory, ignore_errors=True)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
