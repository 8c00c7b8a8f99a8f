"""Programs that the driver starts: each in a process group of its own, ended whatever happens."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


def end_with_the_driver() -> None:
    """In the child, before exec: the kernel ends it should the driver be killed."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Failure(Exception):
    """A run can't go on, with the reason."""


class Program:
    """One program; its output goes to `log`, which is appended to when it is started again."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
    ):
        self.name = name
        self.command = list(command)
        self.log = log
        self.environment = {**os.environ, **(environment or {})}
        self.directory = directory
        self.started_ns = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._has_group = False

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        with open(self.log, "ab") as output:
            self.started_ns = time.monotonic_ns()
            try:
                self._process = subprocess.Popen(
                    self.command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=self.environment,
                    cwd=self.directory,
                    process_group=0,
                    preexec_fn=end_with_the_driver,
                )
            except OSError as error:
                raise Failure(f"{self.name} did not start: {error}") from error
        self._has_group = True

    def stop(self, seconds: float = 10) -> bool:
        """SIGTERM, and SIGKILL where that does not help; whether it ended by itself."""
        process = self._process
        if process is None:
            return True
        ended = process.poll() is not None
        if not ended:
            process.terminate()
            try:
                process.wait(seconds)
                ended = True
            except subprocess.TimeoutExpired:
                pass
        # Also what it left behind: the group is its own.
        self.kill()
        return ended

    def kill(self) -> None:
        """SIGKILL to its whole group."""
        process = self._process
        if process is None or not self._has_group:
            return
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        # Its number may be another's from now on.
        self._has_group = False

    def require_running(self) -> None:
        if not self.is_running:
            raise Failure(f"{self.name} has ended: {self.tail()}")

    def wait_for(self, condition: Callable[[], bool], what: str, seconds: float = 10) -> None:
        """Until `condition` holds; a `Failure` if the program ends or takes too long."""
        deadline = time.monotonic() + seconds
        while not condition():
            self.require_running()
            if time.monotonic() > deadline:
                raise Failure(f"{self.name}: no {what} within {seconds:g} s: {self.tail()}")
            time.sleep(0.005)

    def wait_for_line(self, line: str, seconds: float = 10) -> None:
        wanted = line.encode()
        self.wait_for(lambda: wanted in self.log.read_bytes().split(b"\n"), f'"{line}"', seconds)

    def tail(self) -> str:
        """The last of what it wrote, on one line."""
        try:
            text = self.log.read_text(errors="replace")
        except OSError:
            return "no output"
        text = text.replace(f"{self.log.parent}/", "")
        return " / ".join(text.strip().splitlines()[-5:])[-600:] or "no output"
