"""What the subscriber writes down: each message with the time of its arrival."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_HEADER = struct.Struct("<QBHI")
_RETAINED, _DUPLICATE = 1, 2
#: Read at once; a message is smaller.
_CHUNK_BYTES = 16 << 20


class Message(NamedTuple):
    """One message; `time` is of the monotonic clock, in nanoseconds."""

    time: int
    topic: str
    payload: bytes
    is_retained: bool
    is_duplicate: bool = False
    """The broker sends it again because it got no acknowledgement of the subscriber's."""


class Records:
    """Reads a subscriber's file as it grows."""

    def __init__(self, path: Path):
        self._path = path
        self._offset = 0

    def new(self) -> Iterator[Message]:
        """The messages that came since the last call."""
        while True:
            try:
                with open(self._path, "rb") as file:
                    file.seek(self._offset)
                    data = file.read(_CHUNK_BYTES)
            except FileNotFoundError:
                return
            before = self._offset
            yield from self._messages(data)
            if self._offset == before:
                return

    def _messages(self, data: bytes) -> Iterator[Message]:
        """Those that are complete; the offset goes with them."""
        position = 0
        while position + _HEADER.size <= len(data):
            time, flags, topic_length, payload_length = _HEADER.unpack_from(data, position)
            start = position + _HEADER.size
            end = start + topic_length + payload_length
            if end > len(data):
                return
            topic = data[start : start + topic_length].decode(errors="replace")
            payload = data[start + topic_length : end]
            self._offset += end - position
            position = end
            yield Message(
                time, topic, payload, bool(flags & _RETAINED), bool(flags & _DUPLICATE)
            )
