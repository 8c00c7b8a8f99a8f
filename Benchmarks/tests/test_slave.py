"""What the slave answers is what its truth file says it did."""

import resource
import signal
import socket
import struct
import time
from collections import Counter

from .load import LoadTest, free_ports, wait_until

_TRUTH = struct.Struct("<QHBBHH")
_STATIONS, _UNITS = 3, 2


class SlaveTest(LoadTest):
    def setUp(self) -> None:
        super().setUp()
        self.port = free_ports(_STATIONS)
        self.truth = self.directory / "truth"
        self.slave = self.start(
            "bench-slave",
            first_port=self.port,
            stations=_STATIONS,
            units=_UNITS,
            truth=self.truth,
        )

    def connect(self, station: int = 0) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port + station), timeout=5)
        self.addCleanup(connection.close)
        return connection

    def records(self) -> list[tuple[int, int, int, int, int, int]]:
        return list(_TRUTH.iter_unpack(self.truth.read_bytes()))

    def test_values_count_reads_and_the_truth_replays_to_them(self) -> None:
        connections = [self.connect(station) for station in range(_STATIONS)]
        before, got = time.monotonic_ns(), []
        for turn in range(200):
            station, unit = turn % _STATIONS, 1 + turn % _UNITS
            function, address, count = 3 + turn % 2, 2 * (turn % 7), 2 * (1 + turn % 62)
            connections[station].sendall(request(turn, unit, function, address, count))
            values = read_values(connections[station], turn, unit, function)
            self.assertEqual(len(values), count // 2)
            got += [(station, unit, address // 2 + i, value) for i, value in enumerate(values)]
        after = time.monotonic_ns()
        summary = self.stop(self.slave)
        records = self.records()
        self.assertTrue(replay(records) == got, "the truth is not what was read")
        self.assertEqual((summary["requests"], summary["connections"]), (200, _STATIONS))
        self.assertGreater(summary["cpu_seconds"], 0)
        self.assertGreaterEqual(summary["busiest_second_cpu_share"], 0)
        times = [record[0] for record in records]
        self.assertEqual(times, sorted(times))
        self.assertTrue(before < times[0] and times[-1] < after)

    def test_pipelined_requests_are_each_answered_in_order(self) -> None:
        connection = self.connect()
        count = 3000
        connection.sendall(b"".join(request(i & 0xFFFF, 1, 3, 0, 124) for i in range(count)))
        for i in range(count):
            self.assertEqual(read_values(connection, i, 1, 3), [i + 1] * 62)
        self.stop(self.slave)
        self.assertEqual(len(self.records()), count)

    def test_a_reader_that_does_not_read_gets_all_later(self) -> None:
        connection = self.connect()
        # The answers are more than the sockets' buffers take together.
        asked = 100_000
        connection.sendall(request(1, 1, 3, 0, 124) * asked)
        # Another is served meanwhile.
        other = self.connect()
        other.sendall(request(1, 2, 3, 0, 2))
        self.assertEqual(read_values(other, 1, 2, 3), [1])
        data = receive(connection, asked * 257)
        places = range(9, len(data), 257)
        firsts = [struct.unpack_from(">f", data, place)[0] for place in places]
        # Not assertEqual, which takes minutes to describe how lists of this length differ.
        self.assertTrue(firsts == list(range(1, asked + 1)), "an answer is missing or wrong")

    def test_a_request_may_come_byte_by_byte(self) -> None:
        connection = self.connect()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request(7, 2, 4, 65534, 2):
            connection.sendall(bytes([byte]))
            time.sleep(0.002)
        self.assertEqual(read_values(connection, 7, 2, 4), [1])

    def test_what_is_wrong_gets_an_exception_and_counts_nothing(self) -> None:
        connection = self.connect()
        wrong = [
            (request(1, 0, 3, 0, 2), 3, 11),
            (request(2, _UNITS + 1, 3, 0, 2), 3, 11),
            (request(3, 1, 6, 0, 2), 6, 1),
            (request(4, 1, 3, 1, 2), 3, 2),
            (request(5, 1, 3, 65534, 4), 3, 2),
            (request(6, 1, 3, 0, 3), 3, 3),
            (request(7, 1, 4, 0, 0), 4, 3),
            (request(8, 1, 4, 0, 126), 4, 3),
        ]
        for sent, function, code in wrong:
            connection.sendall(sent)
            wanted = sent[:4] + b"\0\3" + sent[6:7] + bytes([function | 0x80, code])
            self.assertEqual(receive(connection, 9), wanted)
        connection.sendall(request(9, 1, 3, 0, 2))
        self.assertEqual(read_values(connection, 9, 1, 3), [1])
        self.assertEqual(self.stop(self.slave)["requests"], len(wrong) + 1)
        self.assertEqual([record[1:] for record in self.records()], [(0, 1, 3, 0, 2)])

    def test_what_is_not_modbus_ends_its_connection_only(self) -> None:
        other, connection = self.connect(), self.connect()
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with self.assertRaises((EOFError, ConnectionResetError)):
            receive(connection, 1)
        other.sendall(request(1, 1, 3, 0, 2))
        self.assertEqual(read_values(other, 1, 1, 3), [1])

    def test_the_truth_can_be_read_while_it_serves(self) -> None:
        connection = self.connect(2)
        connection.sendall(request(1, 1, 3, 4, 8))
        read_values(connection, 1, 1, 3)
        wait_until(lambda: len(self.records()) == 1, "the record is in the file")
        self.assertEqual(self.records()[0][1:], (2, 1, 3, 4, 8))
        self.stop(self.slave, signal.SIGINT)

    def test_it_serves_thousands_of_connections(self) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        count = 3000
        if hard < 2 * count:
            self.skipTest(f"only {hard} descriptors are allowed")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        connections = [self.connect(i % _STATIONS) for i in range(count)]
        for connection in connections:
            connection.sendall(request(1, 1, 3, 0, 2))
        found = Counter(read_values(connection, 1, 1, 3)[0] for connection in connections)
        each = count // _STATIONS
        self.assertEqual(found, Counter({value: _STATIONS for value in range(1, each + 1)}))
        self.assertEqual(self.stop(self.slave)["connections"], count)


def request(transaction: int, unit: int, function: int, address: int, count: int) -> bytes:
    return struct.pack(">HHHBBHH", transaction, 0, 6, unit, function, address, count)


def receive(connection: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise EOFError("the connection has ended")
        data += piece
    return bytes(data)


def read_values(connection: socket.socket, transaction: int, unit: int, function: int) -> list[int]:
    """The values of the next answer, which is none of the others' and no exception."""
    head = struct.unpack(">HHHBBB", receive(connection, 9))
    size = head[5]
    assert head == (transaction, 0, size + 3, unit, function, size), head
    return [int(value) for (value,) in struct.iter_unpack(">f", receive(connection, size))]


def replay(records: list[tuple[int, int, int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    """(station, unit, pair, value) of all that was served, in order."""
    reads: Counter[tuple[int, int, int]] = Counter()
    served = []
    for _, station, unit, _, address, count in records:
        for pair in range(address // 2, (address + count) // 2):
            reads[station, unit, pair] += 1
            served.append((station, unit, pair, reads[station, unit, pair]))
    return served
