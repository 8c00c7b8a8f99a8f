"""Units whose every value says whose it is, where it stands and when it was asked for."""

from typing import NamedTuple

from field.framing import Frame

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS = 1, 2


class Mark(NamedTuple):
    """What a value says."""

    unit: int
    address: int
    """Of the pair's first register, modulo 256."""
    number: int
    """Of the request that was answered, counted by the unit, modulo 65,536."""


def mark(value: int) -> Mark:
    """Reads the value of a pair of registers, high word first."""
    return Mark(value >> 24, value >> 16 & 0xFF, value & 0xFFFF)


class NumberedUnits:
    """Units 1 to `count`: each pair of registers is a `Mark`, each 16 bits the number alone.

    Each unit counts from another number, so that the bits of two differ too.
    """

    APART = 4096 + 257

    def __init__(self, count: int):
        self._numbers = {unit: unit * self.APART for unit in range(1, count + 1)}

    async def ask(self, request: Frame) -> tuple[Frame | None, int]:
        """The answer, none of a unit that is not there; and the request's number."""
        if request.unit not in self._numbers:
            return None, 0
        number = self._numbers[request.unit] = (self._numbers[request.unit] + 1) % 0x10000
        return Frame(request.unit, self._pdu(request, number), request.transaction), number

    def _pdu(self, request: Frame, number: int) -> bytes:
        function, first, count = request.function, request.address, request.count
        if function not in (1, 2, 3, 4):
            return bytes([function | 0x80, ILLEGAL_FUNCTION])
        if first % 2 or first + count > 256:
            return bytes([function | 0x80, ILLEGAL_ADDRESS])
        if function in (1, 2):
            size = (count + 7) // 8
            data = bytes(number >> 8 * (i % 2) & 0xFF for i in range(size))
            return bytes([function, size]) + data
        words = [request.unit << 8 | first + i if i % 2 == 0 else number for i in range(count)]
        return bytes([function, 2 * count]) + b"".join(w.to_bytes(2, "big") for w in words)
