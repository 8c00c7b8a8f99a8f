"""The floor and collectd: what they publish leads back to what the slave served."""

import struct
from pathlib import Path

from bench.contestants.collectd import Collectd, is_installed
from bench.contestants.floor import Floor
from bench.mine import Mine, Reading

from .load import DEADLINE_SECONDS, LoadTest, free_ports, wait_until
from .test_slave import replay


class ReadingsTest(LoadTest):
    def make(self, kind: type) -> object:
        return kind(Mine(1000, 2, 2, 3), 1883, self.directory, self.directory)

    def test_a_message_of_the_floor_is_a_device(self) -> None:
        readings = self.make(Floor).readings("floor/1/2", b"5 16777215 7", False)
        wanted = [Reading(1, 2, 0, 5), Reading(1, 2, 1, 16777215), Reading(1, 2, 2, 7)]
        self.assertEqual(readings, wanted)
        self.assertEqual(self.make(Floor).readings("other/1/2", b"5", False), [])

    def test_a_message_of_collectd_is_a_value(self) -> None:
        collectd = self.make(Collectd)
        topic = "collectd/s12/modbus-3/gauge-4"
        self.assertEqual(collectd.readings(topic, b"1795.537:11\0", False), [Reading(12, 3, 4, 11)])
        self.assertEqual(collectd.readings(topic, b"1795.537:nan\0", False), [])
        self.assertEqual(collectd.readings("collectd/bench/cpu-0/cpu-idle", b"1:2\0", False), [])


class RunTest(LoadTest):
    def test_every_value_of_the_floor_arrives(self) -> None:
        self.run_contestant(Floor, points=70)

    def test_every_value_of_collectd_arrives(self) -> None:
        # A test installs nothing.
        if not is_installed():
            self.skipTest("collectd is not installed")
        self.assertRegex(Collectd.version(), r"^collectd \d")
        self.run_contestant(Collectd, points=3)

    def run_contestant(self, kind: type, points: int) -> None:
        broker_port = free_ports(1)
        self.start_broker(broker_port)
        mine = Mine(free_ports(2), stations=2, units=2, points=points, interval=0.2)
        truth, out = self.directory / "truth", self.directory / "out"
        options = {"first_port": mine.first_port, "stations": 2, "units": 2, "truth": truth}
        slave = self.start("bench-slave", **options)
        subscriber = self.start("bench-subscriber", port=broker_port, client_id="a", out=out)
        contestant = kind(mine, broker_port, self.directory, self.directory)
        contestant.prepare()
        process = self.run_program(*contestant.command())
        served = 10 * mine.total_points
        wait_until(lambda: len(found(contestant, out)) >= served, f"{served} values arrive")
        process.terminate()
        process.communicate(timeout=DEADLINE_SECONDS)
        self.assertEqual(process.returncode, 0)
        self.stop(slave)
        self.stop(subscriber)
        records = list(struct.iter_unpack("<QHBBHH", truth.read_bytes()))
        wanted = {Reading(*each) for each in replay(records)}
        arrived = found(contestant, out)
        self.assertEqual(len(arrived), len(set(arrived)), "a value came twice")
        self.assertLessEqual(set(arrived), wanted)
        # What was under way when it was ended may be missing, and nothing before.
        missing = {(r.station, r.unit, r.point): r.value for r in wanted - set(arrived)}
        for reading in arrived:
            place = (reading.station, reading.unit, reading.point)
            self.assertLess(reading.value, missing.get(place, 1 << 24), "one before is missing")


def found(contestant: object, out: Path) -> list[Reading]:
    data, place, readings = out.read_bytes(), 0, []
    while place + 15 <= len(data):
        _, flags, topic_size, payload_size = struct.unpack_from("<QBHI", data, place)
        topic, payload = place + 15, place + 15 + topic_size
        place = payload + payload_size
        if place <= len(data):
            text = data[topic:payload].decode()
            readings += contestant.readings(text, data[payload:place], bool(flags & 1))
    return readings
