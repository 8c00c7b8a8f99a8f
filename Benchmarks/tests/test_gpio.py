"""The judge of the GPIO campaign: what is right passes, and each kind of wrong is found."""

import json
import unittest
from collections import Counter
from random import Random

from campaign.gpio_judge import (
    PASSES, allowed_switches, bad, counted, edges, even, judge_chatter, judge_count,
    judge_frequency, judge_levels, judge_no_more, judge_order, judge_silence,
)
from campaign.gpio_rig import LINES, Life, Pull, Records, Sample
from campaign.scenarios.gpio import KINDS, Gpio

SECOND = 1_000_000
BEGIN = 1_795_000_000 * SECOND


def pull(seconds: float, is_high: bool, line: str = "both") -> Pull:
    at = BEGIN + int(seconds * SECOND)
    return Pull(LINES[line].chip, LINES[line].offset, is_high, at, at + 100)


def sample(seconds: float, device: str = "contact", seq: int = 1, epoch: int = 1, **fields) -> Sample:
    words = {"values": {}, "bad": {}, "raw": {}, **fields}
    number = int(seconds * 1000)
    return Sample((epoch, seq, number), device, BEGIN // 1000 + number, **words)


class Levels(unittest.TestCase):
    line = LINES["contact"]
    pulls = [pull(1, True, "contact"), pull(1.2, False, "contact"), pull(3, True, "contact")]
    right = [(0.5, False), (1.008, True), (1.208, False), (2.5, False), (3.003, True), (4, True)]

    def judge(self, levels, line=None) -> list[str]:
        samples = [sample(at, values={"value": level}) for at, level in levels]
        changes = edges(line or self.line, self.pulls)
        return judge_levels(self.line, False, changes, samples) + judge_no_more(
            self.line, len(changes), samples, False
        )

    def test_right_ones_pass(self):
        self.assertEqual(self.judge(self.right), [])

    def test_each_lost_turned_late_or_early_edge_is_found(self):
        for number in (1, 2, 4):
            at, level = self.right[number]
            rest = self.right[:number], self.right[number + 1:]
            for wrong in ([], [(at, not level)], [(at + 0.1, level)], [(at - 0.05, level)]):
                with self.subTest(number=number, wrong=wrong):
                    self.assertNotEqual(self.judge(rest[0] + wrong + rest[1]), [])

    def test_an_edge_that_was_none_is_found(self):
        self.assertNotEqual(
            self.judge([*self.right[:4], (2.7, True), (2.71, False), *self.right[4:]]), []
        )

    def test_a_sample_without_a_level_is_found(self):
        wrong = [sample(0.5, bad={"value": "line-missing"})]
        self.assertEqual(len(judge_levels(self.line, False, [], wrong)), 1)

    def test_low_is_active_where_that_is_meant(self):
        own = [pull(1, True, "low"), pull(2, False, "low")]
        self.assertEqual([active for active, _ in edges(LINES["low"], own)], [False, True])

    def test_of_a_bounce_the_level_that_holds_counts(self):
        times = [(1, True), (1.02, False), (1.04, True), (2, False), (2.02, True), (3, False)]
        own = [pull(at, high, "bouncing-count") for at, high in times]
        found = [p.begin - BEGIN for _, p in edges(LINES["bouncing-count"], own, 0.1)]
        self.assertEqual(found, [1_040_000, 3_000_000])
        self.assertEqual(len(counted(LINES["bouncing-count"], own, 0.1)), 1)

    def test_a_bounce_that_ends_where_it_began_is_no_change(self):
        own = [pull(1, True, "bouncing"), pull(1.02, False, "bouncing")]
        self.assertEqual(edges(LINES["bouncing"], own, 0.1), [])


class Counts(unittest.TestCase):
    """Twenty edges in two starts: the first one ends amid them."""

    line = LINES["both"]

    def setUp(self):
        self.pulls = [pull(at / 2, at % 2 == 0) for at in range(2, 12)]
        self.pulls += [pull(10 + at / 2, at % 2 == 0) for at in range(2, 12)]
        self.lives = [
            Life(1, BEGIN, BEGIN + 6 * SECOND, "kill"),
            Life(2, BEGIN + 10 * SECOND, BEGIN + 20 * SECOND, "stop"),
        ]
        self.resumed = 9

    def records(self, change=None, events=()) -> Records:
        """What comes of it; `change` may alter the samples."""
        counts = [(1, at / 2, max(0, min(10, at - 1))) for at in range(0, 12)]
        counts += [(2, 10 + at / 2, self.resumed + max(0, min(10, at - 1))) for at in range(0, 20)]
        samples = [
            {"device": "both", "time": BEGIN // 1000 + int(at * 1000) + 50, "values": {"count": n},
             "_epoch": epoch}
            for epoch, at, n in counts
        ]
        if change:
            change(samples)
        records = Records()
        told = [(1, "count-began", 0), (2, "count-resumed", self.resumed), *events]
        for seq, it in enumerate(samples, 1):
            epoch = it.pop("_epoch")
            records.take(_batch("data", epoch, seq, samples=[it]))
        for seq, (epoch, state, total) in enumerate(told, 1):
            event = {"source": "both", "time": BEGIN // 1000, "type": "line", "state": state,
                     "count": total}
            records.take(_batch("events", epoch, seq, events=[event]))
        return records

    def judge(self, *arguments) -> list[str]:
        return judge_count(self.line, self.pulls, self.lives, self.records(*arguments))

    def test_a_right_count_passes(self):
        self.assertEqual(self.judge(), [])

    def test_a_start_may_lose_what_is_younger_than_a_commit_and_no_more(self):
        for resumed, is_right in ((10, True), (11, False), (5, True), (4, False), (0, False)):
            with self.subTest(resumed):
                self.resumed = resumed
                self.assertEqual(self.judge() == [], is_right)

    def test_an_orderly_stop_loses_nothing(self):
        self.lives[0].how = "stop"
        self.assertNotEqual(self.judge(), [])
        self.resumed = 10
        self.assertEqual(self.judge(), [])

    def test_every_single_count_that_is_wrong_is_found(self):
        for number in range(31):
            for by in (-3, 3):
                with self.subTest(number=number, by=by):
                    def change(samples):
                        samples[number]["values"]["count"] += by

                    self.assertNotEqual(self.judge(change), [])

    def test_counting_twice_is_found(self):
        def change(samples):
            for it in samples[20:]:
                it["values"]["count"] += 1

        self.assertNotEqual(self.judge(change), [])

    def test_a_sample_without_a_count_is_found(self):
        self.assertNotEqual(self.judge(lambda samples: samples[4]["values"].clear()), [])

    def test_a_count_of_a_failed_line_is_known_by_what_is_not_trusted(self):
        def change(samples):
            samples[4] |= {"values": {}, "bad": {"count": "line-busy"},
                           "raw": samples[4]["values"]}

        self.assertEqual(self.judge(change), [])

    def test_a_start_that_says_nothing_is_found(self):
        records = self.records()
        records.events = [event for event in records.events if event.epoch == 1]
        self.assertNotEqual(judge_count(self.line, self.pulls, self.lives, records), [])

    def test_a_count_that_begins_anew_is_found(self):
        self.resumed = 0
        records = self.records()
        self.assertNotEqual(judge_count(self.line, self.pulls, self.lives, records), [])

    def test_suspicion_without_a_reason_is_found(self):
        events = [(2, "count-suspect", 12)]
        self.assertNotEqual(self.judge(None, events), [])
        self.lives[1].suspects.add("both")
        self.assertEqual(self.judge(None, events), [])

    def test_a_suspect_count_may_be_short_but_not_long(self):
        self.lives[1].suspects.add("both")
        events = [(2, "count-suspect", 12)]

        def lose(samples):
            for it in samples[12:]:
                it["values"]["count"] = min(15, it["values"]["count"])

        def gain(samples):
            samples[-1]["values"]["count"] += 1

        self.assertEqual(self.judge(lose, events), [])
        self.assertNotEqual(self.judge(lose), [])
        self.assertNotEqual(self.judge(gain, events), [])

    def test_a_copy_of_a_batch_is_no_more(self):
        records = self.records()
        before = len(records.samples)
        records.take(_batch("data", 1, 1, samples=[{"device": "both", "time": 0}]))
        self.assertEqual(len(records.samples), before)

    def test_a_meter_that_gives_another_total_is_found(self):
        pulses = [pull(1, True, "meter")]
        for total, is_right in ((0.01, True), (0.02, False)):
            records = Records()
            records.take(_batch("data", 1, 1, samples=[
                {"device": "meter", "time": BEGIN // 1000 + 2000,
                 "values": {"count": 1, "total": total}}]))
            records.take(_batch("events", 1, 1, events=[
                {"source": "meter", "time": 0, "type": "line", "state": "count-began", "count": 0}]))
            found = judge_count(LINES["meter"], pulses, [Life(1, BEGIN)], records)
            self.assertEqual(found == [], is_right)


class Others(unittest.TestCase):
    def test_a_frequency_is_judged_to_one_per_cent(self):
        for hertz, value, is_right in ((25.2, 4.56, True), (25.3, 4.59, False), (25, 5, False)):
            values = {"frequency": hertz, "value": value}
            problems, _ = judge_frequency(25, [sample(1, values=values)], (10, 60), (0, 15))
            self.assertEqual(problems == [], is_right, (hertz, value))
        self.assertNotEqual(judge_frequency(25, [], (10, 60), (0, 15))[0], [])
        lost = sample(1, bad={"value": "signal-lost"})
        self.assertNotEqual(judge_frequency(25, [lost], (10, 60), (0, 15))[0], [])

    def test_only_what_was_pulled_evenly_is_a_frequency(self):
        rising = [BEGIN + 40_000 * number + (9_000 if number == 60 else 0) for number in range(100)]
        samples = [sample(second) for second in (2.2, 3, 3.9)]
        self.assertEqual(even(rising, samples, 1.5), [samples[0]])

    def test_chatter_that_is_not_held_back_is_found(self):
        def samples(count, apart):
            return [sample(number * apart, values={"value": True}) for number in range(count)]

        self.assertEqual(judge_chatter(samples(500, 0.02)), [])
        self.assertEqual(judge_chatter(samples(53, 0.01)), [])
        self.assertNotEqual(judge_chatter(samples(54, 0.01)), [])

    def test_samples_out_of_order_are_found(self):
        right = [sample(1), sample(2), sample(1, epoch=2)]
        self.assertEqual(judge_order(right), [])
        self.assertNotEqual(judge_order([sample(1), sample(1)]), [])
        self.assertNotEqual(judge_order([sample(2), sample(1)]), [])

    def test_a_reason_has_to_be_the_right_one(self):
        self.assertEqual(bad("speed", sample(1, bad={"value": "signal-lost"}), "value",
                             "signal-lost"), [])
        self.assertNotEqual(bad("speed", sample(1, values={"value": 0}), "value", "signal-lost"), [])

    def test_a_thread_that_wakes_more_often_is_found(self):
        most = allowed_switches(10, 0.5)
        self.assertLess(most, 10 / 0.25)
        self.assertEqual(judge_silence({"7 gpio": most, "8 other": 999}, "gpio", 10, 0.5), [])
        self.assertNotEqual(judge_silence({"7 gpio": most + 1}, "gpio", 10, 0.5), [])
        self.assertNotEqual(judge_silence({"8 other": 1}, "gpio", 10, 0.5), [])

    def test_all_orders_of_two_beams_are_played(self):
        # Six ways to mix two edges of the one with two of the other; each way once.
        self.assertEqual(len(PASSES), 6)
        for order in PASSES:
            self.assertEqual(Counter(order), Counter("OoIi"))
            self.assertLess(order.index("O"), order.index("o"))
            self.assertLess(order.index("I"), order.index("i"))
        # The other way through is the same order of the other beams.
        turned = str.maketrans("OoIi", "IiOo")
        for order, change in PASSES.items():
            self.assertEqual(PASSES[order.translate(turned)], -change)

    def test_each_kind_comes_once_in_as_many_rounds_as_there_are(self):
        plan = Gpio().plan(2 * len(KINDS), Random(1))
        kinds = [it.kind for it in plan]
        self.assertEqual(set(kinds[: len(KINDS)]), set(KINDS))
        self.assertEqual(set(kinds[len(KINDS):]), set(KINDS))


def _batch(stream: str, epoch: int, seq: int, **content) -> str:
    return json.dumps({"store": "a", "stream": stream, "epoch": epoch, "seq": seq, **content})


if __name__ == "__main__":
    unittest.main()
