"""The account finds each kind of error in hand-made records."""

import struct
import tempfile
import time
import unittest
from pathlib import Path

from bench.mine import Mine, Reading
from bench.records import Records
from bench.truth import Account, Truth

SECOND = 1_000_000_000
MINE = Mine(first_port=10_000, stations=2, units=2, points=3)


def truth(cycles=4, mine=MINE, path=Path("none")):
    """Each device read once a second, all its points in one request."""
    result = Truth(path, mine)
    result.replay(
        ((cycle + 1) * SECOND, station, unit, 3, 0, 2 * mine.points)
        for cycle in range(cycles)
        for station, unit in mine.devices()
    )
    return result


def deliver(account, value, delay=1_000_000, points=MINE.points, history=False, skip=()):
    """All points' readings of one value, but for those to `skip`."""
    for station, unit in account.truth.mine.devices():
        account.take(
            value * SECOND + delay,
            [
                Reading(station, unit, point, value, history)
                for point in range(points)
                if (station, unit, point) not in skip
            ],
        )


class TruthTests(unittest.TestCase):
    def test_counts_each_pair_of_a_request_and_nothing_beyond_the_points(self):
        result = Truth(Path("none"), MINE)
        result.replay([(5, 1, 2, 3, 2, 2), (6, 1, 2, 4, 2, 20), (7, 0, 1, 3, 0, 1)])
        self.assertEqual([list(times) for times in result.times[9:]], [[], [5, 6], [6]])
        self.assertEqual(sum(map(len, result.times[:9])), 0)

    def test_reads_a_file_that_grows_in_pieces(self):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "truth"
            records = struct.pack("<QHBBHH", 7, 1, 1, 3, 0, 2) + struct.pack(
                "<QHBBHH", 9, 1, 1, 3, 0, 2
            )
            path.write_bytes(records[:20])
            result = Truth(path, MINE)
            result.update()
            self.assertEqual(list(result.times[6]), [7])
            path.write_bytes(records)
            result.update()
            self.assertEqual(list(result.times[6]), [7, 9])
            self.assertEqual(result.newest_ns, 9)

    def test_no_cycle_is_missed_when_all_are_read(self):
        self.assertEqual(truth(4).missed_cycles(SECOND, 4 * SECOND), 0)

    def test_counts_missed_cycles_within_and_at_both_ends(self):
        result = Truth(Path("none"), Mine(1, 1, 1, 1))
        result.replay((t * SECOND, 0, 1, 3, 0, 2) for t in (3, 4, 7, 8))
        self.assertEqual(result.missed_cycles(3 * SECOND, 8 * SECOND), 2)
        self.assertEqual(result.missed_cycles(0, 8 * SECOND), 4)
        self.assertEqual(result.missed_cycles(3 * SECOND, 12 * SECOND), 5)

    def test_who_is_a_little_late_each_time_misses_cycles(self):
        result = Truth(Path("none"), Mine(1, 1, 1, 1))
        result.replay((t * 1_400_000_000, 0, 1, 3, 0, 2) for t in range(1, 11))
        self.assertEqual(result.missed_cycles(0, 14 * SECOND), 3)

    def test_a_point_never_read_has_missed_all_cycles(self):
        result = Truth(Path("none"), Mine(1, 1, 1, 1))
        self.assertEqual(result.missed_cycles(0, 10 * SECOND), 9)

    def test_a_reading_that_is_late_in_its_cycle_is_not_missed(self):
        result = Truth(Path("none"), Mine(1, 1, 1, 1))
        times = (1.0, 2.9, 3.1, 4.0, 5.0, 6.0)
        result.replay((round(t * SECOND), 0, 1, 3, 0, 2) for t in times)
        self.assertEqual(result.missed_cycles(SECOND, 6 * SECOND), 1)
        self.assertEqual(result.readings_too_few(SECOND, 6 * SECOND), 0)

    def test_a_cycle_without_a_reading_is_one_too_few(self):
        result = Truth(Path("none"), Mine(1, 1, 1, 1))
        # Two cycles are missed, and one is taken for phase.
        result.replay((t * SECOND, 0, 1, 3, 0, 2) for t in (1, 2, 5, 6, 7))
        self.assertEqual(result.readings_too_few(SECOND // 2, 7 * SECOND + SECOND // 2), 1)


class AccountTests(unittest.TestCase):
    def test_all_delivered_is_no_error(self):
        account = Account(truth())
        for value in range(1, 5):
            deliver(account, value)
        result = account.result(0, 10 * SECOND)
        self.assertEqual((result.served, result.delivered, result.lost), (48, 48, 0))
        self.assertEqual((result.repeated, result.out_of_order, result.unknown), (0, 0, 0))
        self.assertEqual(result.latency_ms(0.5), 1)

    def test_one_lost_value_is_found_with_its_time(self):
        account = Account(truth())
        for value in range(1, 5):
            deliver(account, value, skip=[(1, 2, 1)] if value == 3 else ())
        result = account.result(0, 10 * SECOND)
        self.assertEqual(result.lost_times, [3 * SECOND])
        self.assertEqual(result.lost_outside(2 * SECOND, 4 * SECOND), 0)
        self.assertEqual(result.lost_outside(4 * SECOND, 5 * SECOND), 1)

    def test_what_never_came_is_lost_and_only_within_the_window(self):
        account = Account(truth())
        self.assertEqual(account.result(0, 10 * SECOND).lost, 48)
        self.assertEqual(account.result(2 * SECOND, 3 * SECOND).lost, 24)

    def test_what_came_too_late_is_lost(self):
        account = Account(truth(1))
        deliver(account, 1, delay=3 * SECOND)
        self.assertEqual(account.result(0, SECOND, arrived_by=3 * SECOND).lost, 12)
        self.assertEqual(account.result(0, SECOND, arrived_by=4 * SECOND).lost, 0)

    def test_repeats_are_found_and_have_no_latency(self):
        account = Account(truth())
        deliver(account, 1)
        deliver(account, 1, delay=5_000_000, history=True)
        result = account.result(0, 10 * SECOND)
        self.assertEqual((result.repeated, result.out_of_order), (12, 0))
        self.assertEqual(result.latency_ms(1), 1)

    def test_what_the_broker_sends_again_is_no_repeat_but_counts_when_it_comes_first(self):
        account = Account(truth())
        account.take(9, [Reading(0, 1, 0, 1)])
        account.take(10, [Reading(0, 1, 0, 1), Reading(0, 1, 1, 1)], is_duplicate=True)
        result = account.result(0, 10 * SECOND)
        self.assertEqual((result.repeated, result.delivered), (0, 2))

    def test_an_older_live_value_is_out_of_order(self):
        account = Account(truth())
        account.take(9, [Reading(0, 1, 0, 2), Reading(0, 1, 0, 1), Reading(0, 1, 1, 1)])
        self.assertEqual(account.result(0, 10 * SECOND).out_of_order, 1)

    def test_history_is_in_order_of_its_own(self):
        account = Account(truth())
        deliver(account, 4)
        for value in (1, 3):
            deliver(account, value, history=True)
        self.assertEqual(account.result(0, 10 * SECOND).out_of_order, 0)
        deliver(account, 2, history=True)
        self.assertEqual(account.result(0, 10 * SECOND).out_of_order, 12)

    def test_values_that_were_never_served_are_unknown(self):
        account = Account(truth(2))
        strange = [
            Reading(0, 1, 0, 3),
            Reading(0, 1, 0, 0),
            Reading(0, 1, 0, 10**9),
            Reading(2, 1, 0, 1),
            Reading(0, 3, 0, 1),
            Reading(0, 1, 3, 1),
        ]
        account.take(9, strange)
        self.assertEqual(account.result(0, 10 * SECOND).unknown, len(strange))

    def test_a_value_known_only_later_is_not_unknown(self):
        served = Truth(Path("none"), Mine(1, 1, 1, 1))
        account = Account(served)
        account.take(9, [Reading(0, 1, 0, 1)])
        served.replay([(8, 0, 1, 3, 0, 2)])
        result = account.result(0, 10)
        self.assertEqual((result.unknown, result.delivered), (0, 1))

    def test_tells_fresh_values_and_the_end_of_the_backlog(self):
        account = Account(truth())
        self.assertEqual(account.fresh_after(2 * SECOND), (None, None))
        deliver(account, 2, delay=20 * SECOND, history=True)
        deliver(account, 3, delay=1, skip=[(0, 1, 0)])
        self.assertEqual(account.fresh_after(2 * SECOND), (3 * SECOND + 1, None))
        deliver(account, 4, delay=2)
        self.assertEqual(account.fresh_after(2 * SECOND), (3 * SECOND + 1, 4 * SECOND + 2))
        self.assertEqual(account.last_arrival_served_before(2 * SECOND), 22 * SECOND)
        self.assertEqual(account.first_arrival_after(3 * SECOND + 1), 4 * SECOND + 2)
        self.assertIsNone(account.first_arrival_after(22 * SECOND))

    def test_a_million_values_take_seconds(self):
        mine = Mine(1, 16, 10, 60)
        cycles = 100
        served = truth(cycles, mine)
        account = Account(served)
        started = time.process_time()
        for value in range(1, cycles + 1):
            deliver(account, value, points=60)
        self.assertEqual(account.result(0, 1000 * SECOND).delivered, 960_000)
        self.assertEqual(served.missed_cycles(SECOND, cycles * SECOND), 0)
        self.assertLess(time.process_time() - started, 60)


class RecordsTests(unittest.TestCase):
    def test_reads_messages_as_they_are_completed(self):
        def record(at, flags, topic, payload):
            header = struct.pack("<QBHI", at, flags, len(topic), len(payload))
            return header + topic + payload

        data = record(1, 0, b"a/b", b"x" * 9) + record(2, 1, b"c", b"")
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "records"
            records = Records(path)
            self.assertEqual(list(records.new()), [])
            path.write_bytes(data[:30])
            self.assertEqual(list(records.new()), [(1, "a/b", b"x" * 9, False, False)])
            self.assertEqual(list(records.new()), [])
            path.write_bytes(data)
            self.assertEqual(list(records.new()), [(2, "c", b"", True, False)])
            path.write_bytes(data + record(3, 2, b"d", b"y"))
            self.assertEqual(list(records.new()), [(3, "d", b"y", False, True)])


if __name__ == "__main__":
    unittest.main()
