"""The subscriber writes down each message as it was published."""

import socket
import struct
import subprocess
import time

from bench.programs import benchmark_program

from .load import DEADLINE_SECONDS, LoadTest, free_ports, wait_until

_RECORD = struct.Struct("<QBHI")
_RETAINED, _DUPLICATE = 1, 2


class SubscriberTest(LoadTest):
    def setUp(self) -> None:
        super().setUp()
        self.port = free_ports(1)
        self.out = self.directory / "out"

    def subscribe(self) -> "subprocess.Popen[str]":
        return self.start("bench-subscriber", port=self.port, client_id="account", out=self.out)

    def publish(self, topic: str, payload: bytes, *options: str) -> None:
        command = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.port), "-q", "1"]
        # From its standard input, unless there is nothing.
        options = ("-s" if payload else "-n", *options)
        subprocess.run(
            [*command, "-t", topic, *options],
            input=payload,
            check=True,
            timeout=DEADLINE_SECONDS,
        )

    def records(self) -> list[tuple[int, int, str, bytes]]:
        """(time, flags, topic, payload) of each whole record."""
        data, place, found = self.out.read_bytes(), 0, []
        while place + _RECORD.size <= len(data):
            when, flags, topic_size, payload_size = _RECORD.unpack_from(data, place)
            topic_end = place + _RECORD.size + topic_size
            if topic_end + payload_size > len(data):
                break
            topic = data[place + _RECORD.size : topic_end].decode()
            place = topic_end + payload_size
            found.append((when, flags, topic, data[topic_end:place]))
        return found

    def test_each_message_is_a_record(self) -> None:
        self.start_broker(self.port)
        subscriber = self.subscribe()
        before = time.monotonic_ns()
        sent = [("a", b"1"), ("a/b/Ä", b"\0\1\xff"), ("none", b""), ("long", b"x" * 200_000)]
        for topic, payload in sent:
            self.publish(topic, payload)
        wait_until(lambda: len(self.records()) == len(sent), "all records are in the file")
        after = time.monotonic_ns()
        summary = self.stop(subscriber)
        records = self.records()
        self.assertEqual([record[1:] for record in records], [(0, *each) for each in sent])
        times = [record[0] for record in records]
        self.assertEqual(times, sorted(times))
        self.assertTrue(before < times[0] and times[-1] < after)
        self.assertEqual(summary["messages"], len(sent))
        self.assertEqual(summary["bytes"], sum(len(payload) for _, payload in sent))
        self.assertGreater(summary["cpu_seconds"], 0)

    def test_a_retained_message_is_marked(self) -> None:
        self.start_broker(self.port)
        self.publish("kept", b"1", "-r")
        subscriber = self.subscribe()
        self.publish("live", b"2", "-r")
        wait_until(lambda: len(self.records()) == 2, "both records are in the file")
        self.stop(subscriber)
        wanted = [(_RETAINED, "kept", b"1"), (0, "live", b"2")]
        self.assertEqual([record[1:] for record in self.records()], wanted)

    def test_it_comes_back_after_the_broker_and_misses_nothing(self) -> None:
        broker = self.start_broker(self.port)
        subscriber = self.subscribe()
        self.publish("kept", b"0", "-r")
        self.publish("before", b"1")
        wait_until(lambda: len(self.records()) == 2, "the first records are in the file")
        broker.terminate()
        broker.wait()
        self.start_broker(self.port)
        self.publish("after", b"2")
        wait_until(lambda: len(self.records()) >= 3, "the last record is in the file")
        self.stop(subscriber)
        self.assertEqual([record[2] for record in self.records()], ["kept", "before", "after"])

    def test_a_duplicate_is_marked(self) -> None:
        with socket.create_server(("127.0.0.1", self.port)) as server:
            server.settimeout(DEADLINE_SECONDS)
            options = ["--port", self.port, "--client-id", "account", "--out", self.out]
            subscriber = self.run_program(benchmark_program("bench-subscriber"), *options)
            with server.accept()[0] as client:
                client.settimeout(DEADLINE_SECONDS)
                connect = client.recv(1024)
                self.assertEqual(connect[:1], b"\x10")
                flags = connect[9]
                self.assertEqual((connect[8], flags & 2), (4, 0), "3.1.1, clean session false")
                client.sendall(b"\x20\2\0\0")
                subscribe = client.recv(1024)
                self.assertEqual(subscribe[4:], b"\0\1#\1")
                client.sendall(b"\x90\3" + subscribe[2:4] + b"\1")
                for head, number in ((0x32, 1), (0x3A, 2), (0x32, 3)):
                    client.sendall(bytes([head, 6, 0, 1, ord("t"), 0, number, 0x30 + number]))
                wait_until(lambda: len(self.records()) == 3, "all records are in the file")
                self.assertEqual(subscriber.stdout.readline(), "ready\n")
                self.stop(subscriber)
        wanted = [(0, "t", b"1"), (_DUPLICATE, "t", b"2"), (0, "t", b"3")]
        self.assertEqual([record[1:] for record in self.records()], wanted)
