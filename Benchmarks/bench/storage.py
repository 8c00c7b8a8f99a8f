"""A file system of the contestant's own, so that what reaches its block device can be told."""

import ctypes
import os
import shutil
import subprocess
from pathlib import Path

from .processes import Failure

#: A sector of /sys/block/*/stat, whatever the device's own sectors are.
_SECTOR_BYTES = 512
_libc = ctypes.CDLL(None, use_errno=True)


class Storage:
    """A directory; where possible an ext4 file system in a sparse image on a loop device."""

    def __init__(self, directory: Path, megabytes: int = 1024):
        self.directory = directory
        self.reason: str | None = None
        """Why there is no device of its own; None where there is."""
        self._image = directory.with_suffix(".ext4")
        self._megabytes = megabytes
        self._mounted = False

    def open(self) -> None:
        self.directory.mkdir(parents=True)
        if os.geteuid() != 0:
            self.reason = "only root can mount a file system for it"
            return
        if not shutil.which("mkfs.ext4"):
            self.reason = "mkfs.ext4 is not installed"
            return
        with open(self._image, "wb") as image:
            image.truncate(self._megabytes << 20)
        # Nothing is left to be initialised in the background, where it would be counted.
        options = "lazy_itable_init=0,lazy_journal_init=0,nodiscard"
        commands = [
            ["mkfs.ext4", "-q", "-F", "-E", options, str(self._image)],
            ["mount", "-o", "loop,noatime", str(self._image), str(self.directory)],
        ]
        for command in commands:
            self.reason = _failure_of(command)
            if self.reason:
                self._image.unlink()
                return
        self._mounted = True
        try:
            self.bytes_written()
        except OSError as error:
            self.close()
            self.reason = f"the device tells nothing of itself: {error}"

    def close(self) -> None:
        if self._mounted:
            for options in ([], ["-l"]):
                if not _failure_of(["umount", *options, str(self.directory)]):
                    break
            self._mounted = False
        self._image.unlink(missing_ok=True)

    def bytes_written(self) -> int | None:
        """To the block device since it is there, with the file system's journal; None if unknown.

        What is still in memory is written first, so that a window has what was stored in it.
        """
        if not self._mounted:
            return None
        descriptor = os.open(self.directory, os.O_RDONLY)
        try:
            if _libc.syncfs(descriptor):
                raise Failure(f"syncfs: {os.strerror(ctypes.get_errno())}")
            device = os.fstat(descriptor).st_dev
        finally:
            os.close(descriptor)
        path = f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat"
        fields = Path(path).read_text().split()
        return int(fields[6]) * _SECTOR_BYTES


def _failure_of(command: list[str]) -> str | None:
    """Runs a command; why it failed."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{command[0]}: {error}"
    return f"{command[0]}: {result.stderr.strip()}" if result.returncode else None
