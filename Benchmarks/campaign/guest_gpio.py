"""What the machine's first process does with GPIO: simulated chips, and who else holds their lines."""

import ctypes
import fcntl
import json
import os
import struct
import threading
import time
from pathlib import Path
from typing import Iterator

TICK = 0.01
"""Seconds between the ticks of the machine's kernel: edges closer than that may be one to it."""

_CONFIGFS = Path("/sys/kernel/config")
_SIMULATOR = _CONFIGFS / "gpio-sim"

# From <linux/gpio.h>, version 2 of the kernel's interface.
_GET_LINEINFO = 0xC100_B405
_GET_LINE = 0xC250_B407
_LINE_INFO = struct.Struct("32s32sIIQ160x16x")
# Offsets, consumer, flags, attributes, their number, lines, buffer, padding, descriptor.
_LINE_REQUEST = struct.Struct("256s32sQI20x240xII20xi")
_FLAGS = {
    1 << 0: "used", 1 << 1: "active-low", 1 << 2: "input", 1 << 3: "output",
    1 << 4: "edge-rising", 1 << 5: "edge-falling", 1 << 8: "bias-pull-up",
    1 << 9: "bias-pull-down", 1 << 10: "bias-disabled",
}
_INPUT = 1 << 2


class Chips:
    """The machine's simulated chips, by their label."""

    def __init__(self):
        self._held: dict[str, int] = {}
        self._train: threading.Thread | None = None

    def do_make_chip(self, label: str, lines: int, names: dict[str, str]) -> dict:
        """Makes a chip of so many lines; `names` are those of lines, by offset."""
        if not _SIMULATOR.exists():
            _libc.mount(b"configfs", str(_CONFIGFS).encode(), b"configfs", 0, None)
        bank = _SIMULATOR / label / "bank0"
        bank.mkdir(parents=True)
        (bank / "num_lines").write_text(str(lines))
        (bank / "label").write_text(label)
        for offset, name in names.items():
            (bank / f"line{offset}").mkdir()
            (bank / f"line{offset}" / "name").write_text(name)
        (_SIMULATOR / label / "live").write_text("1")
        return {"chip": self._chip(label)}

    def do_remove_chip(self, label: str) -> dict:
        """Takes a chip out, whoever has its lines."""
        (_SIMULATOR / label / "live").write_text("0")
        at = _now()
        bank = _SIMULATOR / label / "bank0"
        for line in bank.glob("line*"):
            line.rmdir()
        bank.rmdir()
        (_SIMULATOR / label).rmdir()
        return {"at": at}

    def _chip(self, label: str) -> str:
        return (_SIMULATOR / label / "bank0" / "chip_name").read_text().strip()

    def _attribute(self, label: str, offset: int, name: str) -> Path:
        device = (_SIMULATOR / label / "dev_name").read_text().strip()
        line = f"sim_gpio{offset}"
        return Path("/sys/devices/platform", device, self._chip(label), line, name)

    # Pulls

    def _pull(self, label: str, steps: list[list]) -> Iterator[list]:
        files = {
            offset: os.open(self._attribute(label, offset, "pull"), os.O_WRONLY)
            for offset in {step[1] for step in steps}
        }
        # The kernel sees an edge at its next tick: amid two of them, so that times a whole number
        # of ticks apart are seen as that.
        due = last = (time.monotonic() // TICK + 1.5) * TICK
        try:
            for wait, offset, is_high in steps:
                # One that came late is seen before the next one comes, too.
                due = max(due + wait / 1000, (last // TICK + 1.5) * TICK)
                time.sleep(max(0, due - time.monotonic()))
                begin = _now()
                os.pwrite(files[offset], b"pull-up" if is_high else b"pull-down", 0)
                yield [offset, is_high, begin, _now()]
                last = time.monotonic()
        finally:
            for file in files.values():
                os.close(file)

    def do_pull(self, label: str, steps_path: str, path: str) -> dict:
        """Begins to pull lines: steps of (milliseconds to wait before, offset, whether high), read
        from a file outside, as a call of more than a terminal's buffer would clog the wire. When
        each was begun and done is written to one, as that is to be known when the power is cut."""
        steps = json.loads(Path(steps_path).read_text())

        def run() -> None:
            with open(path, "a", buffering=1) as file:
                for pull in self._pull(label, steps):
                    file.write(" ".join(str(int(word)) for word in pull) + "\n")

        self._train = threading.Thread(target=run, daemon=True)
        self._train.start()
        return {}

    def do_wait_for_pulls(self) -> dict:
        """Returns when the last of `pull` is done."""
        self._train.join()
        return {}

    def do_interrupts(self, offset: int) -> dict:
        """How many edges the kernel has seen on the lines of that offset, while they are taken."""
        lines = Path("/proc/interrupts").read_text().splitlines()
        words = [line.split() for line in lines if "irq_sim" in line]
        return {"count": sum(int(it[1]) for it in words if it[3] == str(offset))}

    # Lines

    def do_line(self, label: str, offset: int) -> dict:
        """What the kernel says of a line: who has it, and its flags."""
        request = bytearray(_LINE_INFO.size)
        struct.pack_into("I", request, 64, offset)
        with self._device(label) as chip:
            fcntl.ioctl(chip, _GET_LINEINFO, request)
        _, consumer, _, _, flags = _LINE_INFO.unpack(request)
        words = [word for bit, word in _FLAGS.items() if flags & bit]
        return {"consumer": consumer.rstrip(b"\0").decode(), "flags": words}

    def do_hold(self, label: str, offset: int, consumer: str) -> dict:
        """Takes a line as another program would."""
        offsets = struct.pack("I", offset).ljust(256, b"\0")
        request = bytearray(
            _LINE_REQUEST.pack(offsets, consumer.encode(), _INPUT, 0, 1, 0, -1)
        )
        with self._device(label) as chip:
            fcntl.ioctl(chip, _GET_LINE, request)
        self._held[f"{label} {offset}"] = _LINE_REQUEST.unpack(request)[-1]
        return {}

    def do_release(self, label: str, offset: int) -> dict:
        """Gives it back."""
        os.close(self._held.pop(f"{label} {offset}"))
        return {"at": _now()}

    def do_own(self, label: str, uid: int) -> dict:
        """Gives the chip's device to a user, who alone may use it."""
        os.chown(f"/dev/{self._chip(label)}", uid, uid)
        os.chmod(f"/dev/{self._chip(label)}", 0o600)
        return {"at": _now()}

    def _device(self, label: str):
        return open(f"/dev/{self._chip(label)}", "rb", buffering=0)


def _now() -> int:
    """Unix microseconds: what is pulled is dated finer than what is sent."""
    return time.time_ns() // 1000


_libc = ctypes.CDLL(None, use_errno=True)
_PR_CAPBSET_DROP = 24
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2


def heed_modes() -> None:
    """Makes root a user like others to the modes of files; what it runs from here on, too."""
    for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
        _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
