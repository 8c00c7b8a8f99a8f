"""A machine with a disk of its own whose power can be cut: a User Mode Linux kernel.

The kernel is a process of the run, and sees the host's files. Its disk is a file of the host: what
the machine has synced is in it, and what lies in the machine's page cache goes with the process.
"""

import itertools
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Sequence

from campaign.programs import Program, RunFailed, program, wait_until
from campaign.wire import CALL, CLOSE, OPEN, RESULT, Wire

SOURCE_TREE = Path(__file__).resolve().parents[2]
HARDWARE = SOURCE_TREE / "Tests" / "Hardware"

# Bytes. What is not written takes no room on the host.
DISK = 512 << 20
_MEMORY = "256M"
# What the kernel wants before it takes its generator for seeded.
_RANDOM_BYTES = 32
_CLOCK_READINGS = 3
# The second console: a stream of bytes like a serial line.
_SERIAL = "/dev/tty1"


def kernel() -> str:
    """The kernel of the hardware tests; built if there is none yet."""
    result = subprocess.run([HARDWARE / "kernel"], capture_output=True, text=True)
    if result.returncode:
        raise RunFailed(f"there is no User Mode Linux kernel: {result.stderr.strip()}")
    return result.stdout.strip()


class Disk:
    """An ext4 disk in this process's memory: gone when it ends, however it ends."""

    def __init__(self):
        self._descriptor = os.memfd_create("disk", os.MFD_CLOEXEC)
        os.truncate(self._descriptor, DISK)
        words = [program("mkfs.ext4"), "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"]
        result = subprocess.run([*words, self.path], capture_output=True, text=True)
        if result.returncode:
            raise RunFailed(f"mkfs.ext4: {result.stderr}")

    @property
    def path(self) -> str:
        return f"/proc/{os.getpid()}/fd/{self._descriptor}"

    def check(self) -> str | None:
        """What e2fsck finds wrong once the file system's own journal was replayed."""
        words = [program("e2fsck"), "-f", "-p", self.path]
        result = subprocess.run(words, capture_output=True, text=True)
        return None if result.returncode in (0, 1) else result.stdout + result.stderr

    def keep(self, path: Path) -> None:
        """Copies it to a file."""
        subprocess.run(["cp", "--sparse=always", self.path, path], check=True)

    def close(self) -> None:
        os.close(self._descriptor)


class Machine:
    """One boot of the machine, until its power is cut or it is switched off.

    To a rig it is the agent: the program that runs in it.
    """

    def __init__(
        self, linux: str, disk: Disk, directory: Path, ports: Sequence[int], patience: float,
        mount_options: str = "defaults",
    ):
        """Boots, and mounts the disk at `directory`/disk; what listens at one of `ports` outside
        can be reached at it from inside."""
        self.log = directory / "machine.log"
        self._patience = patience
        self._calls = itertools.count(1)
        self._answers: dict[int, dict] = {}
        self._arrived = 0
        self._agent: int | None = None
        self._outside, inside = socket.socketpair()
        (directory / "disk").mkdir(exist_ok=True)
        environment = {"PYTHONPATH": str(SOURCE_TREE / "Benchmarks"), "PYTHONDONTWRITEBYTECODE": "1"}
        with inside:
            serial = f"con1=fd:{inside.fileno()}"
            self._process = Program(
                [
                    linux, f"mem={_MEMORY}", "root=/dev/root", "rootfstype=hostfs", "rootflags=/",
                    "rw", "quiet", "con=null", "con0=fd:0,fd:1", serial, f"ubd0={disk.path}",
                    f"init={HARDWARE / 'init'}", f"disk_at={directory / 'disk'}",
                    f"disk_options={mount_options}",
                    *(f"{name}={value}" for name, value in environment.items()),
                    "--", sys.executable, "-S", "-m", "campaign.guest", _SERIAL,
                    os.urandom(_RANDOM_BYTES).hex(), *map(str, ports),
                ],
                self.log, descriptors=[inside.fileno()], has_own_group=True,
            )
        self._wire = Wire(self._outside.fileno(), self._outside.fileno())
        threading.Thread(target=self._wire.run, args=(self._take,), daemon=True).start()

    def _take(self, kind: int, channel: int, payload: bytes) -> None:
        if kind == RESULT:
            self._arrived = time.time_ns()
            self._answers[channel] = json.loads(payload)
        elif kind == OPEN:
            try:
                connection = socket.create_connection(("127.0.0.1", int(payload)), self._patience)
            except OSError:
                self._wire.send(CLOSE, channel)
            else:
                connection.settimeout(None)
                self._wire.carry(channel, connection)

    # What it is asked to do

    def wait_until_booted(self) -> None:
        """Waits for that, and puts the machine's wall clock right: where the host is busy, it has
        been seen to begin 200 ms late."""
        self._wait_for_answer(0, "the machine has booted", self._patience)
        errors = []
        for _ in range(_CLOCK_READINGS):
            sent = time.time_ns()
            inside = self.call("clock")["ns"]
            errors.append((self._arrived - sent, inside - (sent + self._arrived) // 2))
        # The quickest answer tells it best.
        self.call("step", -min(errors)[1])

    def call(self, do: str, *arguments: Any, seconds: float = 30) -> dict:
        """Has it done inside; see `guest`."""
        number = next(self._calls)
        words = json.dumps({"do": do, "with": arguments}).encode()
        self._wire.send(CALL, number, words)
        answer = self._wait_for_answer(number, f"the machine has answered to {do}", seconds)
        if "problem" in answer:
            raise RunFailed(f"{do} in the machine: {answer['problem']}; see {self.log}")
        return answer

    def _wait_for_answer(self, number: int, what: str, seconds: float) -> dict:
        def is_there() -> bool:
            if not self._process.is_running:
                raise RunFailed(f"the machine ended by itself; see {self.log}")
            return number in self._answers

        wait_until(what, is_there, seconds)
        return self._answers.pop(number)

    def output(self, *words: str | Path) -> str:
        """What a program inside prints."""
        answer = self.call("run", [str(word) for word in words])
        return answer["output"]

    def start(self, words: Sequence[str | Path], environment: dict[str, str], *options: Any) -> int:
        """Starts the agent and returns its process id inside."""
        words = [str(word) for word in words]
        self._agent = self.call("start", words, environment, *options)["pid"]
        return self._agent

    # As a rig's agent

    @property
    def is_running(self) -> bool:
        """Whether the machine and the agent in it run."""
        ended = f"the agent {self._agent} ended with"
        return self._process.is_running and ended not in self.printed()

    def printed(self) -> str:
        return self._process.printed()

    def wait_until_it_prints(self, words: str, seconds: float) -> None:
        self._process.wait_until_it_prints(words, seconds)

    def stop(self, seconds: float) -> int:
        """Ends the agent in order, then the machine; returns the agent's exit status."""
        status = self.call("stop", seconds, seconds=seconds + 5)["status"]
        self._wire.send(CALL, next(self._calls), b'{"do": "halt", "with": []}')
        wait_until("the machine is off", lambda: not self._process.is_running, self._patience)
        self._close()
        return status

    def kill(self) -> None:
        """Cuts the power. What was on its way in either direction is lost."""
        self._process.kill()
        self._close()

    def _close(self) -> None:
        try:
            self._outside.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        wait_until("the machine's connections are closed", lambda: self._wire.is_ended, 10)
        self._outside.close()

