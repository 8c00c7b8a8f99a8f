"""Modbus frames as bytes: on a serial line (or a socket that carries one) and over TCP."""

from dataclasses import dataclass
from typing import Protocol

READ_FUNCTIONS = (1, 2, 3, 4)
EXCEPTION = 0x80
# Unit, function and checksum at least; 256 bytes at most (Modbus over serial line V1.02, 2.5.1).
RTU_LENGTHS = range(4, 257)
HEADER = 7


def crc16(data: bytes) -> int:
    """Of the serial line; 0 of a message with its own checksum behind it."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ 0xA001 if value & 1 else value >> 1
    return value


@dataclass(frozen=True)
class Frame:
    """A message without its framing."""

    unit: int
    pdu: bytes
    transaction: int = 0

    @property
    def function(self) -> int:
        return self.pdu[0]

    @property
    def address(self) -> int:
        """Of a read request."""
        return int.from_bytes(self.pdu[1:3], "big")

    @property
    def count(self) -> int:
        """Of a read request."""
        return int.from_bytes(self.pdu[3:5], "big")


class Framing(Protocol):
    """How messages stand in bytes."""

    name: str

    def bytes(self, frame: Frame) -> bytes:
        """The message as it goes over the wire."""

    def take_request(self, received: bytearray) -> Frame | None:
        """Takes the next request out of what has come; None until it is whole."""

    def take_answer(self, received: bytearray) -> Frame | None:
        """The same of an answer."""


class RTU:
    """Unit, function code with data, checksum. Answers and requests are told by their length."""

    name = "rtu"

    def bytes(self, frame: Frame) -> bytes:
        message = bytes([frame.unit]) + frame.pdu
        return message + crc16(message).to_bytes(2, "little")

    def take_request(self, received: bytearray) -> Frame | None:
        return self._take(received, lambda _: 8)

    def take_answer(self, received: bytearray) -> Frame | None:
        return self._take(received, _answer_length)

    def _take(self, received: bytearray, length_of) -> Frame | None:
        # What begins no message is passed over byte by byte.
        while len(received) >= RTU_LENGTHS.start:
            length = length_of(received)
            if length is not None and len(received) < length:
                return None
            if length is not None and crc16(received[:length]) == 0:
                frame = Frame(received[0], bytes(received[1 : length - 2]))
                del received[:length]
                return frame
            del received[0]
        return None


def _answer_length(received: bytearray) -> int | None:
    if received[1] & EXCEPTION:
        return 5
    if received[1] in READ_FUNCTIONS:
        return 5 + received[2]
    return 8


class TCP:
    """Transaction, protocol 0, length, unit, function code with data."""

    name = "tcp"

    def bytes(self, frame: Frame) -> bytes:
        head = frame.transaction.to_bytes(2, "big") + b"\0\0"
        return head + (len(frame.pdu) + 1).to_bytes(2, "big") + bytes([frame.unit]) + frame.pdu

    def take_request(self, received: bytearray) -> Frame | None:
        if len(received) < HEADER:
            return None
        length = int.from_bytes(received[4:6], "big") + 6
        if len(received) < length:
            return None
        frame = Frame(
            received[6], bytes(received[HEADER:length]), int.from_bytes(received[:2], "big")
        )
        del received[:length]
        return frame

    take_answer = take_request


FRAMINGS: dict[str, Framing] = {"rtu": RTU(), "tcp": TCP()}
