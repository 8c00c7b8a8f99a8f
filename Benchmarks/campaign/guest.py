"""Runs inside the machine as its first process: forwards ports, and does what it is called for.

    python3 -m campaign.guest SERIAL RANDOM PORT…

RANDOM are hexadecimal digits from outside: the machine has no source of randomness of its own, and
programs that ask for some would wait for ever.
"""

import fcntl
import itertools
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import tty
from pathlib import Path

from campaign.guest_gpio import Chips, heed_modes
from campaign.wire import CALL, OPEN, RESULT, Wire


class Guest(Chips):
    """Connections from here are numbered here; calls are numbered outside."""

    def __init__(self, wire: Wire):
        super().__init__()
        self._wire = wire
        self._channels = itertools.count(1)
        self._agent: subprocess.Popen | None = None

    def listen(self, port: int) -> None:
        listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, args=(listener, port), daemon=True).start()

    def _accept(self, listener: socket.socket, port: int) -> None:
        while True:
            connection, _ = listener.accept()
            channel = next(self._channels)
            self._wire.send(OPEN, channel, str(port).encode())
            self._wire.carry(channel, connection)

    def take(self, kind: int, channel: int, payload: bytes) -> None:
        if kind == CALL:
            threading.Thread(target=self._answer, args=(channel, payload), daemon=True).start()

    def _answer(self, channel: int, payload: bytes) -> None:
        call = json.loads(payload)
        try:
            answer = getattr(self, "do_" + call["do"])(*call["with"])
        except Exception as problem:  # noqa: BLE001: told outside, whatever it is.
            answer = {"problem": repr(problem)}
        self._wire.send(RESULT, channel, json.dumps(answer).encode())

    # What can be called for.

    def do_run(self, words: list[str]) -> dict:
        result = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        return {"status": result.returncode, "output": result.stdout, "errors": result.stderr}

    def do_start(
        self, words: list[str], environment: dict[str, str], heeds_modes: bool = False
    ) -> dict:
        """Starts the agent; what it writes goes to the console. One that `heeds_modes` opens no
        file whose mode forbids it, though it is root's."""
        self._agent = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, env={**os.environ, **environment},
            preexec_fn=heed_modes if heeds_modes else None,
        )
        threading.Thread(target=self._watch, args=(self._agent,), daemon=True).start()
        return {"pid": self._agent.pid}

    def _watch(self, agent: subprocess.Popen) -> None:
        status = agent.wait()
        print(f"\nthe agent {agent.pid} ended with {status}", flush=True)

    def do_signal(self, number: int) -> dict:
        """Sends the agent a signal; returns when that was, Unix microseconds."""
        self._agent.send_signal(number)
        if number == signal.SIGKILL:
            self._agent.wait()
        return {"at": time.time_ns() // 1000}

    def do_switches(self) -> dict:
        """How often each thread of the agent went to sleep, by thread id and name: as often as it
        was woken. That others took its turn is nothing that it does."""
        switches = {}
        for task in Path(f"/proc/{self._agent.pid}/task").iterdir():
            lines = (task / "status").read_text().splitlines()
            count = sum(int(line.split()[-1]) for line in lines if line.startswith("voluntary_ctxt"))
            switches[f"{task.name} {(task / 'comm').read_text().strip()}"] = count
        return {"switches": switches, "at": time.monotonic()}

    def do_clock(self) -> dict:
        return {"ns": time.time_ns()}

    def do_step(self, nanoseconds: int) -> dict:
        """Steps the wall clock."""
        time.clock_settime_ns(time.CLOCK_REALTIME, time.time_ns() + nanoseconds)
        return {}

    def do_stop(self, seconds: float) -> dict:
        """Asks the agent to end; returns its exit status."""
        self._agent.send_signal(signal.SIGTERM)
        return {"status": self._agent.wait(seconds)}

    def do_halt(self) -> dict:
        """Unmounts and switches off, in order: there is no answer."""
        subprocess.run(["umount", "-a", "-t", "ext4"], stdin=subprocess.DEVNULL)
        subprocess.run(["busybox", "poweroff", "-f"], stdin=subprocess.DEVNULL)
        return {}


# From <linux/random.h>.
_RNDADDENTROPY = 0x4008_5203


def add_entropy(random: bytes) -> None:
    with open("/dev/random", "wb") as device:
        request = struct.pack("ii", 8 * len(random), len(random)) + random
        fcntl.ioctl(device, _RNDADDENTROPY, request)


def main() -> None:
    serial, random, *ports = sys.argv[1:]
    add_entropy(bytes.fromhex(random))
    descriptor = os.open(serial, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(descriptor)
    wire = Wire(descriptor, descriptor)
    guest = Guest(wire)
    for port in ports:
        guest.listen(int(port))
    wire.send(RESULT, 0, b"{}")
    wire.run(guest.take)


if __name__ == "__main__":
    main()
