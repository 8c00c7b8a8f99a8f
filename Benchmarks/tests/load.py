"""Programs of the load as the tests run them: on loopback, ended with the test."""

import json
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
from collections.abc import Callable
from pathlib import Path

from bench.processes import end_with_the_driver
from bench.programs import benchmark_program

#: For what is done at once, on a machine that has much else to do.
DEADLINE_SECONDS = 30.0


def free_ports(count: int) -> int:
    """The first of `count` free ports in a row."""
    for first in range(20_000, 32_000, count):
        sockets = []
        try:
            for port in range(first, first + count):
                sockets.append(socket.create_server(("127.0.0.1", port)))
            return first
        except OSError:
            continue
        finally:
            for each in sockets:
                each.close()
    raise OSError(f"no {count} free ports in a row")


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {DEADLINE_SECONDS:g} s: {what}")
        time.sleep(0.01)


class LoadTest(unittest.TestCase):
    """Has a directory of its own and ends what it started."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def run_program(self, *command: object) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=end_with_the_driver,
        )
        self.addCleanup(self._end, process)
        return process

    def start(self, program: str, **options: object) -> "subprocess.Popen[str]":
        """A program of the load, once it says that it is ready."""
        words = [w for key, value in options.items() for w in (f"--{key.replace('_', '-')}", value)]
        process = self.run_program(benchmark_program(program), *words)
        self.assertEqual(process.stdout.readline(), "ready\n", "its first line")
        return process

    def stop(self, process: "subprocess.Popen[str]", end: int = signal.SIGTERM) -> dict:
        """Ends a program; what its last line says."""
        process.send_signal(end)
        output, errors = process.communicate(timeout=DEADLINE_SECONDS)
        self.assertEqual((process.returncode, errors), (0, ""))
        return json.loads(output)

    def start_broker(self, port: int) -> "subprocess.Popen[str]":
        configuration = self.directory / "mosquitto.conf"
        configuration.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\nlog_type none\n"
            "persistence true\nautosave_interval 0\n"
            f"persistence_location {self.directory}/\nset_tcp_nodelay true\n"
            # It gives up root otherwise and can't write the directory.
            "user root\n"
        )
        # Not in the path of every user.
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        broker = self.run_program(program, "-c", configuration)

        def is_listening() -> bool:
            self.assertIsNone(broker.poll(), "the broker has ended")
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        wait_until(is_listening, "the broker listens")
        return broker

    def _end(self, process: "subprocess.Popen[str]") -> None:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()
