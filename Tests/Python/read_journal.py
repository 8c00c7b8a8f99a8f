#!/usr/bin/env python3
"""Reads a store of edge-agent, from docs/journal-format.md alone.

    read_journal.py STORE

prints each batch that can be read as a line of JSON with every bit of its values: the stream of
events first, then data, each by segment. What can't be read is told on standard error.
"""

import json
import os
import struct
import sys

HEADER_BYTES = 4096
LARGEST_BODY = 1 << 20
SEVERITIES = ["info", "warning", "alarm"]
REASONS = {
    1: "timeout", 2: "offline", 3: "crc", 4: "bad-answer", 5: "bus-closed", 6: "refused",
    7: "out-of-range", 8: "not-a-number", 9: "error-value", 10: "unsupported",
    11: "line-missing", 12: "line-busy", 13: "signal-lost", 14: "out-of-band",
    15: "chattering", 16: "not-read",
}
REASONS.update({64 + code: f"exception-{code}" for code in range(1, 12)})
KEY, DEVICE, DELTA = 1, 2, 3


class Malformed(Exception):
    """Bytes that are not what the format says."""


# Checksums ---------------------------------------------------------------------------------------


def crc_table():
    table = []
    for crc in range(256):
        for _ in range(8):
            crc = crc >> 1 ^ 0x82F63B78 if crc & 1 else crc >> 1
        table.append(crc)
    return table


CRC_TABLE = crc_table()


def crc32c(data, seed=0):
    crc = ~seed & 0xFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return ~crc & 0xFFFFFFFF


# Numbers -----------------------------------------------------------------------------------------


def unzigzag(number):
    return number >> 1 ^ -(number & 1)


def signed(number, bits=64):
    number &= (1 << bits) - 1
    return number - (1 << bits) if number >> bits - 1 else number


class Bytes:
    """Reads numbers from the start of some bytes on."""

    def __init__(self, data):
        self.data = data
        self.offset = 0

    def take(self, count):
        if count > len(self.data) - self.offset:
            raise Malformed("the bytes end early")
        self.offset += count
        return self.data[self.offset - count:self.offset]

    def fixed(self, count):
        return int.from_bytes(self.take(count), "little")

    def varint(self):
        number = 0
        for shift in range(0, 64, 7):
            byte = self.fixed(1)
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number & 0xFFFFFFFFFFFFFFFF
        raise Malformed("a varint of more than 10 bytes")

    def zigzag(self):
        return unzigzag(self.varint())

    def blob(self):
        return self.take(self.varint())

    def string(self):
        return self.blob().decode("utf-8", "replace")


# Outcomes ----------------------------------------------------------------------------------------

# A value is a pair: its type, and its number, bit pattern or text; a decimal's type has its decimals.


def value_text(value):
    kind, number = value
    if kind == "bool":
        return "bool true" if number else "bool false"
    if kind == "float32":
        return f"float32 {number:08x}"
    if kind == "float64":
        return f"float64 {number:016x}"
    if kind == "text":
        return f"text {number}"
    if isinstance(kind, tuple):
        return f"decimal {signed(number)} {kind[1]}"
    return f"{kind} {signed(number) if kind == 'int' else number}"


def outcome_text(outcome):
    reason, value = outcome
    if reason is None:
        return value_text(value)
    name = f"bad {REASONS[reason]}"
    return name if value is None else f"{name} {value_text(value)}"


def read_reason(data):
    reason = data.fixed(1)
    if reason not in REASONS:
        raise Malformed(f"reason {reason}")
    return reason


def read_tagged_value(tag, data):
    if tag in (0, 1):
        return ("bool", tag)
    if tag == 2:
        return ("int", data.zigzag() & 0xFFFFFFFFFFFFFFFF)
    if tag == 3:
        return ("uint", data.varint())
    if tag == 4:
        return ("float32", data.fixed(4))
    if tag == 5:
        return ("float64", data.fixed(8))
    if tag == 6:
        decimals = data.fixed(1)
        return (("decimal", decimals), data.zigzag() & 0xFFFFFFFFFFFFFFFF)
    if tag == 9:
        return ("text", data.string())
    raise Malformed(f"tag {tag}")


def read_tagged(data):
    """An outcome: a pair of a reason, or none, and a value, or none."""
    tag = data.fixed(1)
    if tag == 7:
        return (read_reason(data), None)
    if tag == 8:
        reason = read_reason(data)
        return (reason, read_tagged_value(data.fixed(1), data))
    return (None, read_tagged_value(tag, data))


def float_of(bits):
    return struct.unpack("<f", bits.to_bytes(4, "little"))[0]


def bits_of(number):
    return int.from_bytes(struct.pack("<f", number), "little")


def steps_in(number, scale):
    # Neither infinity nor what is no number is below the limit.
    return round(number * scale) if abs(number) < 1048576 else 0


class Point:
    """What the next outcome of a point builds on."""

    def __init__(self):
        self.value = None  # the last good one
        self.last = None  # the last outcome, where it can be named again

    def hold(self, outcome):
        reason, value = outcome
        if reason is None:
            self.value = value
        self.last = None if reason is not None and value is not None else outcome
        return outcome

    def good(self, value):
        return self.hold((None, value))

    def read(self, code, data):
        if code == 0:
            if self.last is None:
                raise Malformed("an outcome as before, and none is before it")
            return self.last
        if code <= 6:
            if self.value is None or self.value[0] in ("bool", "text"):
                raise Malformed("a change of a number, and none is before it")
            kind, number = self.value
            change = unzigzag(data.fixed([1, 2, 3, 4, 6, 8][code - 1]))
            mask = 0xFFFFFFFF if kind == "float32" else 0xFFFFFFFFFFFFFFFF
            return self.good((kind, number + change & mask))
        if code == 7:
            return self.good(("float32", data.fixed(4)))
        if code <= 11:
            scale, count = [(10, 1), (100, 1), (100, 2), (10000, 2)][code - 8]
            last = 0.0
            if self.value is not None and self.value[0] == "float32":
                last = float_of(self.value[1])
            steps = steps_in(last, scale) + unzigzag(data.fixed(count))
            return self.good(("float32", bits_of(steps / scale)))
        if code <= 13:
            return self.good(("bool", code - 12))
        if code == 14:
            return self.hold((read_reason(data), None))
        return self.hold(read_tagged(data))


# Batches -----------------------------------------------------------------------------------------


class Device:
    """What the next sample of a device builds on, since the last key."""

    def __init__(self, time):
        self.time = time
        self.interval = 0
        self.is_seen = False
        self.points = {}

    def note(self, time):
        self.interval = time - self.time if self.is_seen else 0
        self.is_seen = True
        self.time = time


class Segment:
    """Reads one segment's frames."""

    def __init__(self, data):
        self.data = data
        (self.version, stream, _, self.epoch, self.generation, self.store, self.first_seq,
         self.definitions, checksum) = struct.unpack_from("<HBBIQQQII", data, 8)
        if checksum != crc32c(data[:44]) or data[:8] != b"EDGESEG\n":
            raise Malformed("no segment's header")
        if self.version not in (1, 2):
            raise Malformed(f"format version {self.version}")
        self.stream = {1: "events", 2: "data"}[stream]
        self.seed = crc32c(struct.pack("<QQ", self.store, self.generation))
        self.key_checksum = None
        self.names = {}  # device number: name and points
        self.begin_key()
        self.key = None
        self.deltas_read = None

    def begin_key(self):
        self.devices = {}
        self.time = 0

    # Frames

    def frame(self, offset):
        """Kind, body and length of the frame at `offset`; none if there is no frame."""
        return self.frame_1(offset) if self.version == 1 else self.frame_2(offset)

    def frame_1(self, offset):
        data = self.data
        if offset + 9 > len(data) or data[offset + 3] != 0xF1:
            return None
        length = int.from_bytes(data[offset:offset + 3], "little")
        start = offset + 8
        if not 0 < length <= LARGEST_BODY or start + length > len(data):
            return None
        kind = data[start]
        checksum = int.from_bytes(data[offset + 4:start], "little")
        if kind not in (KEY, DEVICE):
            return None
        if crc32c(data[offset:offset + 4] + data[start:start + length], self.seed) != checksum:
            return None
        return kind, data[start + 1:start + length], 8 + (length + 3) // 4 * 4

    def frame_2(self, offset):
        data = self.data
        if offset + 7 > len(data) or data[offset] & 0xF0 != 0xB0:
            return None
        kind = data[offset] & 0x07
        if data[offset] & 0x08:
            low, middle, high, check = data[offset + 1:offset + 5]
            if low ^ middle ^ high ^ 0x5A != check:
                return None
            head, length = 5, low | middle << 8 | high << 16
        else:
            head, length = 2, data[offset + 1]
        start = offset + head + 4
        if kind not in (KEY, DEVICE, DELTA) or not 0 < length <= LARGEST_BODY:
            return None
        seed = self.key_checksum if kind == DELTA else self.seed
        if seed is None or start + length > len(data):
            return None
        body = data[start:start + length]
        checksum = int.from_bytes(data[offset + head:start], "little")
        if crc32c(data[offset:offset + head] + body, seed) != checksum:
            return None
        if kind == KEY:
            self.key_checksum = checksum
        return kind, body, head + 4 + length

    def frames(self):
        offset = HEADER_BYTES
        while offset < len(self.data):
            frame = self.frame(offset)
            if frame is None:
                offset += 4 if self.version == 1 else 1
            else:
                yield frame[0], frame[1]
                offset += frame[2]

    # Bodies

    def batches(self):
        for kind, body in self.frames():
            data = Bytes(body)
            try:
                if kind == DEVICE:
                    number = data.varint()
                    name = data.string()
                    self.names[number] = (name, [data.string() for _ in range(data.varint())])
                elif kind == KEY:
                    yield self.read_key(data)
                else:
                    yield self.read_delta(data)
            except Malformed as error:
                print(f"a batch that can't be read: {error}", file=sys.stderr)

    def read_key(self, data):
        self.deltas_read = None
        self.begin_key()
        self.key = (data.varint(), data.varint())
        self.boot = data.fixed(4)
        self.offset = data.zigzag()
        self.clock = "synced" if data.fixed(1) & 1 else "unsynced"
        count = data.varint()
        if self.stream == "events":
            items = self.read_events(data, count)
        elif self.version == 1:
            items = self.read_samples_1(data, count)
        else:
            items = [self.read_sample(data) for _ in range(count)]
        self.deltas_read = 0
        return self.batch(self.key[1], items)

    def read_delta(self, data):
        number = data.fixed(1)
        if self.deltas_read is None or number != self.deltas_read + 1:
            self.deltas_read = None
            raise Malformed("it builds on one that is missing")
        self.deltas_read = None
        head = data.varint()
        if head & 1:
            self.offset += data.zigzag()
        items = [self.read_sample(data) for _ in range(head >> 1)]
        self.deltas_read = number
        return self.batch(self.key[1] + number, items)

    def batch(self, seq, items):
        return {
            "stream": self.stream, "store": f"{self.store:016x}", "epoch": self.key[0],
            "seq": seq, "boot": f"{self.boot:08x}", "offset": self.offset, "clock": self.clock,
            "definitions": f"{self.definitions:08x}", "items": items,
        }

    def read_sample(self, data):
        head = data.varint()
        number = head >> 2
        if number not in self.names:
            raise Malformed(f"device number {number} is not in the dictionary")
        name, names = self.names[number]
        device = self.devices.setdefault(number, Device(self.time))
        time = device.time + device.interval + data.zigzag()
        device.note(time)
        self.time = time
        points = range(len(names))
        if head & 1:
            points = [data.varint() for _ in range(data.varint())]
        if head & 2:
            codes = [data.fixed(1)] * len(points)
            if codes and codes[0] > 15:
                raise Malformed(f"outcome code {codes[0]}")
        else:
            pairs = data.take((len(points) + 1) // 2)
            codes = [pairs[index // 2] >> index % 2 * 4 & 0xF for index in range(len(points))]
        outcomes = []
        for index, point in enumerate(points):
            if point >= len(names):
                raise Malformed(f"point {point} of {name}")
            outcome = device.points.setdefault(point, Point()).read(codes[index], data)
            outcomes.append(f"{names[point]} {outcome_text(outcome)}")
        return {"device": name, "time": time, "outcomes": outcomes}

    def read_samples_1(self, data, count):
        items = []
        time = 0
        for _ in range(count):
            number = data.varint()
            if number not in self.names:
                raise Malformed(f"device number {number} is not in the dictionary")
            name, names = self.names[number]
            time += data.zigzag()
            outcomes = []
            for _ in range(data.varint()):
                point = data.varint()
                if point >= len(names):
                    raise Malformed(f"point {point} of {name}")
                outcomes.append(f"{names[point]} {outcome_text(read_tagged(data))}")
            items.append({"device": name, "time": time, "outcomes": outcomes})
        return items

    def read_events(self, data, count):
        items = []
        time = 0
        for _ in range(count):
            identity = data.fixed(8)
            time += data.zigzag()
            items.append({
                "id": f"{identity:016x}", "time": time, "severity": SEVERITIES[data.fixed(1)],
                "type": data.string(), "source": data.string(), "details": data.string(),
            })
        return items


def read_segments(folder):
    segments = []
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".seg"):
            continue
        with open(os.path.join(folder, name), "rb") as file:
            data = file.read()
        # Prepared, and never begun.
        if not any(data[:HEADER_BYTES]):
            continue
        try:
            segments.append(Segment(data))
        except Malformed as error:
            print(f"{name}: {error}", file=sys.stderr)
    return sorted(segments, key=lambda segment: segment.generation)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for stream in ["events", "data"]:
        for segment in read_segments(os.path.join(sys.argv[1], stream)):
            for batch in segment.batches():
                print(json.dumps(batch, separators=(",", ":"), ensure_ascii=False))


if __name__ == "__main__":
    main()
