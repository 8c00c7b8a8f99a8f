"""Slaves of somebody else's behind the line: they answer, the line spoils it."""

import asyncio
from pathlib import Path

from field.framing import FRAMINGS, Frame, Framing
from field.terminal import Terminal

# A slave that has not answered by then has none: a unit that it does not have.
PATIENCE = 1.0


class _Slave:
    """One that answers in order."""

    framing: Framing

    def __init__(self):
        self._turn = asyncio.Lock()
        self._received = bytearray()
        self._came = asyncio.Event()

    async def ask(self, request: Frame) -> tuple[Frame | None, int]:
        async with self._turn:
            self._received.clear()
            await self._send(self.framing.bytes(request))
            try:
                answer = await asyncio.wait_for(self._answer(), PATIENCE)
            except TimeoutError:
                return None, 0
        return Frame(answer.unit, answer.pdu, request.transaction), 0

    async def _answer(self) -> Frame:
        while (answer := self.framing.take_answer(self._received)) is None:
            self._came.clear()
            await self._came.wait()
        return answer

    async def _take(self, data: bytes) -> None:
        self._received += data
        self._came.set()

    async def _send(self, data: bytes) -> None:
        raise NotImplementedError


class SocketUnits(_Slave):
    """Modbus TCP on 127.0.0.1."""

    framing = FRAMINGS["tcp"]

    def __init__(self, port: int):
        super().__init__()
        self._port = port
        self._writer: asyncio.StreamWriter | None = None

    async def _send(self, data: bytes) -> None:
        if self._writer is None:
            reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
            self._reading = asyncio.ensure_future(self._read(reader))
        self._writer.write(data)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(4096):
            await self._take(data)
        self._writer = None


class SerialUnits(_Slave):
    """A slave that opens a link, made here, as its serial port."""

    framing = FRAMINGS["rtu"]

    def __init__(self, link: Path):
        super().__init__()
        self._terminal = Terminal(link)
        self._reading: asyncio.Task | None = None

    async def _send(self, data: bytes) -> None:
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._terminal.serve(self._take))
        self._terminal.write(data)
