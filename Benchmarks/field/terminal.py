"""A serial line within the machine: a pseudo-terminal that is opened by a link."""

import asyncio
import errno
import os
import pty
import termios
import tty
from collections.abc import Awaitable, Callable
from pathlib import Path


class Terminal:
    """Whoever opens `link` talks with whoever holds this."""

    def __init__(self, link: Path):
        self._controller, self._device = pty.openpty()
        # Raw and never hung up: this end keeps it open, whoever comes and goes at the other.
        tty.setraw(self._device)
        self._reset_speed()
        os.set_blocking(self._controller, False)
        path = os.ttyname(self._device)
        link.unlink(missing_ok=True)
        link.symlink_to(path)

    def _reset_speed(self) -> None:
        # A speed that nobody asks for: glibc takes it for an error if parity, which no
        # pseudo-terminal has, is the only change that is asked for.
        settings = termios.tcgetattr(self._device)
        settings[4] = settings[5] = termios.B50
        termios.tcsetattr(self._device, termios.TCSANOW, settings)

    def write(self, data: bytes) -> None:
        """What the terminal does not take is lost, as on a line."""
        try:
            os.write(self._controller, data)
        except BlockingIOError:
            pass

    async def serve(self, take: Callable[[bytes], Awaitable[None]]) -> None:
        """Hands over what comes, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            ready = loop.create_future()
            loop.add_reader(self._controller, ready.set_result, None)
            try:
                await ready
            finally:
                loop.remove_reader(self._controller)
            try:
                data = os.read(self._controller, 4096)
            except OSError as error:
                if error.errno not in (errno.EIO, errno.EAGAIN):
                    raise
                await asyncio.sleep(0.02)
                continue
            await take(data)
