"""What can happen to an answer on its way: from an answer and a kind of fault to bytes and pauses."""

from dataclasses import dataclass, field, replace
from random import Random

from field.framing import EXCEPTION, HEADER, Frame, Framing, crc16


@dataclass(frozen=True)
class Step:
    """Bytes that go out `pause` seconds after those before them."""

    pause: float
    data: bytes


@dataclass
class Treatment:
    """What becomes of one answer."""

    steps: list[Step] = field(default_factory=list)
    held: bytes = b""
    """Goes out with the next request or answer on the line, as `held_until` says."""
    held_until: str = ""
    """`request`: as soon as the next request has come; `answer`: in one piece with its answer."""
    is_unseen: bool = False
    """Damaged so that the checksum is right: no master could tell."""


@dataclass(frozen=True)
class Way:
    """What the answer goes over."""

    framing: Framing
    timeout: float
    """Seconds that the master waits for an answer to begin."""
    late_timeouts: float
    """Time-outs after a request until which the master reckons with its late answer."""


def _plain(way, request, answer, random):
    return Treatment([Step(0, way.framing.bytes(answer))])


def _silence(way, request, answer, random):
    return Treatment()


def _delay(way, request, answer, random):
    return Treatment([Step(random.uniform(0.1, 0.8) * way.timeout, way.framing.bytes(answer))])


def _drip(way, request, answer, random):
    data = way.framing.bytes(answer)
    # From nearly in time to far beyond it.
    pause = random.uniform(0.1, 2) * way.timeout / len(data)
    return Treatment([Step(pause, data[i : i + 1]) for i in range(len(data))])


def _split(way, request, answer, random):
    data = way.framing.bytes(answer)
    at = random.randrange(1, len(data))
    pause = random.uniform(0.001, 0.2 * way.timeout)
    return Treatment([Step(0, data[:at]), Step(pause, data[at:])])


def _merge(way, request, answer, random):
    return Treatment(held=way.framing.bytes(answer), held_until="answer")


def _next(way, request, answer, random):
    return Treatment(held=way.framing.bytes(answer), held_until="request")


def _cut(way, request, answer, random):
    data = way.framing.bytes(answer)
    return Treatment([Step(0, data[: random.randrange(1, len(data))])])


def _flip(way, request, answer, random):
    data = bytearray(way.framing.bytes(answer))
    # Over TCP nothing guards the registers but TCP itself, which is not at fault here.
    end = len(data) if way.framing.name == "rtu" else HEADER + 2
    # CRC-16 sees up to three flipped bits and any odd number; of the others one in 32,768 hides.
    count = random.choice([1, 2, 3, 4, 6, 8, 16, 32])
    for bit in random.sample(range(8 * end), count):
        data[bit // 8] ^= 1 << bit % 8
    is_unseen = way.framing.name == "rtu" and crc16(data) == 0
    return Treatment([Step(0, bytes(data))], is_unseen=is_unseen)


def _noise(way, request, answer, random):
    return Treatment([Step(0, random.randbytes(random.randrange(1, 9)) + way.framing.bytes(answer))])


def _burst(way, request, answer, random):
    # As long as an answer, which comes when the line has been silent for a while.
    pause = random.uniform(0.5, 0.9) * way.timeout
    noise = random.randbytes(random.randrange(32, 65))
    return Treatment([Step(0, noise), Step(pause, way.framing.bytes(answer))])


def _garbage(way, request, answer, random):
    return Treatment([Step(0, way.framing.bytes(answer) + random.randbytes(random.randrange(1, 9)))])


def _duplicate(way, request, answer, random):
    data = way.framing.bytes(answer)
    # On a line that numbers nothing, a copy that comes when a like request has been sent is that
    # one's answer: there it follows at once.
    pause = 0.0 if way.framing.name == "rtu" else random.choice([0, random.uniform(0, way.timeout)])
    if pause == 0:
        return Treatment([Step(0, data + data)])
    return Treatment([Step(0, data), Step(pause, data)])


def _other_unit(way, request, answer, random):
    other = random.choice([unit for unit in range(1, 248) if unit != answer.unit])
    near = answer.unit % 247 + 1
    unit = random.choice([other, near])
    return Treatment([Step(0, way.framing.bytes(replace(answer, unit=unit)))])


def _wrong_function(way, request, answer, random):
    others = [code for code in (1, 2, 3, 4, 6, 16, 43) if code != answer.function]
    pdu = bytes([random.choice(others)]) + answer.pdu[1:]
    return Treatment([Step(0, way.framing.bytes(replace(answer, pdu=pdu)))])


def _wrong_count(way, request, answer, random):
    pdu = answer.pdu
    if pdu[0] & EXCEPTION:
        return _plain(way, request, answer, random)
    kind = random.randrange(3)
    if kind == 0:  # Another number than bytes follow.
        pdu = pdu[:1] + bytes([(pdu[1] + random.randrange(1, 256)) % 256]) + pdu[2:]
    elif kind == 1:  # Fewer, and said so.
        size = random.randrange(0, pdu[1])
        pdu = pdu[:1] + bytes([size]) + pdu[2 : 2 + size]
    else:  # More, and said so.
        more = random.randbytes(random.randrange(1, 9))
        pdu = pdu[:1] + bytes([pdu[1] + len(more)]) + pdu[2:] + more
    return Treatment([Step(0, way.framing.bytes(replace(answer, pdu=pdu)))])


def _wrong_transaction(way, request, answer, random):
    step = random.choice([-1, 1, random.randrange(2, 0xFFFF)])
    number = (answer.transaction + step) % 0x10000
    return Treatment([Step(0, way.framing.bytes(replace(answer, transaction=number)))])


def _late(way, request, answer, random):
    # A margin at both ends: neither in time, nor beyond what the master reckons with.
    after = random.uniform(1.1, way.late_timeouts - 0.4) * way.timeout
    return Treatment([Step(after, way.framing.bytes(answer))])


def _too_late(way, request, answer, random):
    after = random.uniform(way.late_timeouts + 0.1, 2 * way.late_timeouts) * way.timeout
    return Treatment([Step(after, way.framing.bytes(answer))])


def _echo(way, request, answer, random):
    return Treatment([Step(0, way.framing.bytes(request) + way.framing.bytes(answer))])


#: Every fault by name. `too-late` is the one that a line without numbers can't tell.
FAULTS = {
    "none": _plain,
    "silence": _silence,
    "delay": _delay,
    "drip": _drip,
    "split": _split,
    "merge": _merge,
    "next": _next,
    "cut": _cut,
    "flip": _flip,
    "noise": _noise,
    "burst": _burst,
    "garbage": _garbage,
    "duplicate": _duplicate,
    "other-unit": _other_unit,
    "wrong-function": _wrong_function,
    "wrong-count": _wrong_count,
    "wrong-transaction": _wrong_transaction,
    "late": _late,
    "too-late": _too_late,
    "echo": _echo,
}
#: What only a framing with numbers has.
TCP_ONLY = {"wrong-transaction"}


def kinds(framing: Framing) -> list[str]:
    """The faults that there are with this framing, without none."""
    names = [name for name in FAULTS if name != "none"]
    return [name for name in names if framing.name == "tcp" or name not in TCP_ONLY]


def treat(kind: str, way: Way, request: Frame, answer: Frame, random: Random) -> Treatment:
    """What becomes of `answer` to `request`."""
    return FAULTS[kind](way, request, answer, random)
