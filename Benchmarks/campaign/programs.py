"""Processes of a run: output in files, found again when one fails, and none outlives the run."""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Callable, Sequence

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


class RunFailed(Exception):
    """The run could not go on: the words say why."""


def _end_with_parent() -> None:
    # Also when this program is killed and cleans up nothing.
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Program:
    """A process of the run's own."""

    def __init__(
        self, command: Sequence[str | Path], log: Path, environment: dict[str, str] | None = None,
        descriptors: Sequence[int] = (), has_own_group: bool = False,
    ):
        """Starts `command`, which gets `descriptors`; what it writes is appended to `log`. One that
        has processes of its own gets a group for them, so that none outlives `kill`."""
        self._has_own_group = has_own_group
        self.name = Path(command[0]).name
        self.log = log
        with open(log, "ab") as output:
            # Output of an earlier process with the same log is not this one's.
            self._log_begin = output.tell()
            self._process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **(environment or {})},
                preexec_fn=_end_with_parent,
                pass_fds=descriptors,
                process_group=0 if has_own_group else None,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def printed(self) -> str:
        """What this process has written so far."""
        with open(self.log, "rb") as file:
            file.seek(self._log_begin)
            return file.read().decode(errors="replace")

    def wait_until_it_prints(self, words: str, seconds: float) -> None:
        def is_printed() -> bool:
            if words in self.printed():
                return True
            if not self.is_running:
                raise RunFailed(f"{self.name} ended before it printed {words!r}; see {self.log}")
            return False

        wait_until(f"{self.name} prints {words!r}", is_printed, seconds)

    def send(self, number: int) -> None:
        if self.is_running:
            self._process.send_signal(number)

    def has_pending(self, number: int) -> bool:
        """Whether it was sent a signal that it has not taken yet."""
        pending = 0
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            name, _, mask = line.partition(":")
            if name in ("SigPnd", "ShdPnd"):
                pending |= int(mask, 16)
        return bool(pending >> (number - 1) & 1)

    def kill(self) -> None:
        """Ends it as kill -9 does; returns when it is gone."""
        if self._has_own_group and self.is_running:
            os.killpg(self.pid, signal.SIGKILL)
        self.send(signal.SIGKILL)
        self._process.wait()

    def stop(self, seconds: float) -> int:
        """Asks it to end and returns its exit status; kills it when it takes longer."""
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RunFailed(f"{self.name} did not stop within {seconds} s") from None


def wait_until(what: str, condition: Callable[[], bool], seconds: float) -> None:
    """Returns once the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RunFailed(f"waited {seconds:g} s in vain until {what}")
        time.sleep(0.02)


# Below what the kernel gives to clients, so that none gets a port between its choice and its use.
_PORTS = range(10_000, 19_900)


def free_ports(count: int = 1) -> int:
    """The first of `count` free TCP ports on loopback in a row."""
    first = _PORTS.start + (os.getpid() * 61 + time.monotonic_ns() // 1000) % len(_PORTS)
    for _ in range(200):
        if first + count <= _PORTS.stop and all(map(_is_free, range(first, first + count))):
            return first
        first = _PORTS.start + (first + 97 - _PORTS.start) % len(_PORTS)
    raise RunFailed(f"no {count} free ports in a row")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def program(name: str) -> str:
    """Where a program of the system is; some are not in every user's path."""
    path = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
    found = shutil.which(name, path=path)
    if found is None:
        raise RunFailed(f"{name} is not installed")
    return found
