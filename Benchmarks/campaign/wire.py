"""Connections and calls over one byte stream: how a host and a machine inside it talk.

Inside there is loopback only. What is connected to a forwarded port there goes over the stream, a
serial line, and is connected to the same port outside. Calls go the other way.
"""

import os
import socket
import struct
import threading
from typing import Callable

# Kind, channel, length.
_HEAD = struct.Struct("<BII")

OPEN, DATA, CLOSE, CALL, RESULT = range(1, 6)
_CHUNK = 16 << 10


class Wire:
    """One end. Frames are sent from any thread, and taken by the thread that calls `run`."""

    def __init__(self, source: int, sink: int):
        """Reads and writes file descriptors; they stay the caller's."""
        self._source, self._sink = source, sink
        self._sending = threading.Lock()
        self._connections: dict[int, socket.socket] = {}
        self._lock = threading.Lock()
        self.is_ended = False

    def send(self, kind: int, channel: int, payload: bytes = b"") -> None:
        """Sends a frame; one that can't go any more is as good as lost on the way."""
        rest = memoryview(_HEAD.pack(kind, channel, len(payload)) + payload)
        with self._sending:
            try:
                while rest:
                    rest = rest[os.write(self._sink, rest):]
            except OSError:
                self.is_ended = True

    def run(self, take: Callable[[int, int, bytes], None]) -> None:
        """Takes frames until the stream ends; `take` gets those that are not of a connection."""
        try:
            while True:
                kind, channel, length = _HEAD.unpack(self._read(_HEAD.size))
                payload = self._read(length)
                if kind == DATA:
                    self._pass_on(channel, payload)
                elif kind == CLOSE:
                    self.drop(channel)
                else:
                    take(kind, channel, payload)
        except (EOFError, OSError):
            pass
        self.is_ended = True
        for channel in list(self._connections):
            self.drop(channel)

    def _read(self, count: int) -> bytes:
        parts = []
        while count:
            part = os.read(self._source, count)
            if not part:
                raise EOFError
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    # Connections

    def carry(self, channel: int, connection: socket.socket) -> None:
        """Carries a connection until either side ends it."""
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._connections[channel] = connection
        threading.Thread(target=self._forward, args=(channel, connection), daemon=True).start()

    def _forward(self, channel: int, connection: socket.socket) -> None:
        try:
            while data := connection.recv(_CHUNK):
                self.send(DATA, channel, data)
        except OSError:
            pass
        self.drop(channel)
        self.send(CLOSE, channel)

    def _pass_on(self, channel: int, data: bytes) -> None:
        with self._lock:
            connection = self._connections.get(channel)
        if connection is not None:
            try:
                connection.sendall(data)
            except OSError:
                self.drop(channel)

    def drop(self, channel: int) -> None:
        """Ends a connection on this side."""
        with self._lock:
            connection = self._connections.pop(channel, None)
        if connection is not None:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            connection.close()
