"""What programs cost in a window of time."""

import os
import re
import statistics
import subprocess
import threading
import time
from pathlib import Path

from .rig import Rig

_TICKS = os.sysconf("SC_CLK_TCK")
#: CPUCLOCK_SCHED of the whole process: the scheduler's own account, in nanoseconds.
_CPUCLOCK_SCHED = 2
_SOCKET_USER = re.compile(r"pid=(\d+)")
_BYTES_SENT = re.compile(r"bytes_sent:(\d+)")


def descendants(pid: int) -> list[int]:
    """The process and all below it."""
    found = [pid]
    for parent in found:
        for path in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += map(int, path.read_text().split())
            except OSError:
                continue
    return found


def cpu_seconds(pid: int) -> float:
    """CPU seconds of a process, all below it, and those of its children that have ended."""
    total = 0.0
    for each in descendants(pid):
        try:
            total += time.clock_gettime((~each << 3) | _CPUCLOCK_SCHED)
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            total += (int(fields[13]) + int(fields[14])) / _TICKS
        except OSError:
            continue
    return total


def memory(pid: int) -> tuple[int, int, int]:
    """RSS, PSS and anonymous memory in bytes, of a process and all below it."""
    sums = {"Rss:": 0, "Pss:": 0, "Anonymous:": 0}
    for each in descendants(pid):
        try:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            key, *rest = line.split()
            if key in sums:
                sums[key] += int(rest[0]) * 1024
    return sums["Rss:"], sums["Pss:"], sums["Anonymous:"]


def bytes_sent(pid: int, port: int) -> int | None:
    """TCP payload that a process, or one below it, has sent to a port on its open connections."""
    try:
        output = subprocess.run(
            ["ss", "-tinpOH", f"dport = :{port}"], capture_output=True, text=True, timeout=10
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    own = set(descendants(pid))
    total = None
    for line in output.splitlines():
        sent = _BYTES_SENT.search(line)
        if sent and own & set(map(int, _SOCKET_USER.findall(line))):
            total = (total or 0) + int(sent[1])
    return total


def idle_seconds() -> float:
    """Of all cores together since the machine's start."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return (int(fields[4]) + int(fields[5])) / _TICKS


class Window:
    """Measures a rig from entry to exit; figures afterwards. It reads memory each second."""

    def __init__(self, rig: Rig):
        self._rig = rig
        self._stop = threading.Event()
        self._memory: list[tuple[int, int, int]] = []
        self.since = self.until = 0
        """Monotonic nanoseconds."""
        self.figures: dict[str, float | None] = {}

    def __enter__(self) -> "Window":
        pid = self._rig.program.pid
        self._written = self._rig.storage.bytes_written()
        self._sent = bytes_sent(pid, self._rig.broker_port)
        self._readings_from = time.monotonic_ns()
        self._before = self._clocks()
        self.since = time.monotonic_ns()
        self._sampler = threading.Thread(target=self._sample, args=(pid,), daemon=True)
        self._sampler.start()
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        self.until = time.monotonic_ns()
        self._stop.set()
        self._sampler.join()
        if failed:
            return
        after = self._clocks()
        self._rig.program.require_running()
        seconds = (self.until - self.since) / 1e9
        used = {name: (after[name] - self._before[name]) / seconds for name in after}
        figures = self.figures
        figures["cpu_s_min"] = used.pop("contestant") * 60
        sent = bytes_sent(self._rig.program.pid, self._rig.broker_port)
        self.bytes_sent = None if sent is None or self._sent is None else sent - self._sent
        written = self._rig.storage.bytes_written()
        figures["device_bytes_s"] = (
            None if written is None or self._written is None
            else (written - self._written) / seconds
        )
        samples = list(zip(*self._memory)) or [(), (), ()]
        for name, values in zip(("rss_mib", "pss_mib", "anonymous_mib"), samples):
            figures[name] = statistics.median(values) / 2**20 if values else None
        for name, share in used.items():
            figures[f"busy_{name}"] = share

    def _clocks(self) -> dict[str, float]:
        rig = self._rig
        return {
            "contestant": cpu_seconds(rig.program.pid),
            "slave": cpu_seconds(rig.slave.pid),
            "broker": cpu_seconds(rig.broker.pid),
            "subscriber": cpu_seconds(rig.subscriber.pid),
            "driver": time.process_time(),
            "idle": idle_seconds(),
        }

    def _sample(self, pid: int) -> None:
        while not self._stop.wait(1):
            self._memory.append(memory(pid))
