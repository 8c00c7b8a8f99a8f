"""The line with faults: frames, faults, units, and the account of what came of them."""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from random import Random

from campaign.field_account import (
    Bus, Outcome, Point, Verdict, judge_cycles, judge_neighbours, judge_values,
)
from campaign.programs import free_ports
from campaign.scenario import discover
from field.faults import FAULTS, Way, kinds, treat
from field.framing import FRAMINGS, RTU, TCP, Frame, crc16
from field.line import Spell
from field.units import Mark, NumberedUnits, mark

REQUEST = Frame(3, bytes([3, 0, 2, 0, 4]), 77)


def answer() -> Frame:
    found, _ = asyncio.run(NumberedUnits(8).ask(REQUEST))
    assert found is not None
    return found


class Frames(unittest.TestCase):
    def test_the_checksum_is_the_specification_s(self):
        # Unit 1 is asked for ten registers from 0: C5 CD, as every manual prints it.
        self.assertEqual(crc16(bytes.fromhex("01030000000A")), 0xCDC5)
        self.assertEqual(crc16(bytes.fromhex("01030000000AC5CD")), 0)

    def test_frames_are_found_in_pieces_and_behind_noise(self):
        for framing in (RTU(), TCP()):
            received = bytearray(b"\xff\x00" if framing.name == "rtu" else b"")
            data = framing.bytes(REQUEST)
            for byte in data[:-1]:
                received.append(byte)
                self.assertIsNone(framing.take_request(received))
            received += data[-1:] + data
            for _ in range(2):
                found = framing.take_request(received)
                self.assertEqual((found.unit, found.pdu), (REQUEST.unit, REQUEST.pdu))
            self.assertEqual(received, b"")

    def test_answers_are_told_by_their_length(self):
        framing = RTU()
        for frame in (answer(), Frame(3, bytes([0x83, 2]))):
            received = bytearray(framing.bytes(frame) * 2)
            self.assertEqual(framing.take_answer(received).pdu, frame.pdu)
            self.assertEqual(framing.take_answer(received).pdu, frame.pdu)


class Units(unittest.TestCase):
    def test_a_value_says_whose_it_is(self):
        units = NumberedUnits(8)
        for unit in (1, 8):
            request = Frame(unit, bytes([3, 0, 100, 0, 4]))
            found, number = asyncio.run(units.ask(request))
            values = [int.from_bytes(found.pdu[2 + 4 * i : 6 + 4 * i], "big") for i in range(2)]
            marks = [mark(value) for value in values]
            self.assertEqual(marks, [Mark(unit, 100, number), Mark(unit, 102, number)])
        self.assertEqual(asyncio.run(units.ask(Frame(9, REQUEST.pdu))), (None, 0))


class Faults(unittest.TestCase):
    def treated(self, kind: str, name: str, seed: int):
        way = Way(FRAMINGS[name], 0.2, 3)
        return treat(kind, way, REQUEST, answer(), Random(seed))

    def test_each_fault_changes_the_bytes_or_their_time(self):
        for name in ("rtu", "tcp"):
            plain = self.treated("none", name, 0)
            for kind in kinds(FRAMINGS[name]):
                with self.subTest(f"{name} {kind}"):
                    changed = [self.treated(kind, name, seed) != plain for seed in range(20)]
                    self.assertGreater(sum(changed), 15)
                    again = [self.treated(kind, name, 5) for _ in range(2)]
                    self.assertEqual(*again)

    def test_each_fault_of_the_list_is_there(self):
        self.assertLessEqual(
            {
                "delay", "drip", "split", "merge", "cut", "flip", "noise", "burst", "garbage",
                "duplicate", "other-unit", "wrong-function", "wrong-count", "wrong-transaction",
                "late", "next", "echo",
            },
            set(FAULTS),
        )

    def test_what_the_checksum_can_not_see_is_known(self):
        for seed in range(300):
            treatment = self.treated("flip", "rtu", seed)
            self.assertEqual(treatment.is_unseen, crc16(treatment.steps[0].data) == 0)

    def test_late_is_late_and_within_the_window(self):
        for seed in range(50):
            (late,), (too_late,) = (
                self.treated(kind, "rtu", seed).steps for kind in ("late", "too-late")
            )
            self.assertTrue(0.2 < late.pause < 0.6)
            self.assertGreater(too_late.pause, 0.6)


class Line(unittest.TestCase):
    def test_a_process_answers_and_writes_down_what_it_did(self):
        with tempfile.TemporaryDirectory() as directory:
            log, port = Path(directory) / "log", free_ports()
            process = subprocess.Popen(
                [
                    sys.executable, "-m", "field", "--listen", f"tcp:{port}",
                    "--units", "numbered:8", "--log", log,
                ],
                stdout=subprocess.PIPE, text=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )
            try:
                self.assertEqual(process.stdout.readline(), "ready\n")
                with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                    connection.sendall(TCP().bytes(REQUEST))
                    self.assertEqual(connection.recv(260)[:2], (77).to_bytes(2, "big"))
            finally:
                process.terminate()
                self.assertEqual(process.wait(10), 0)
                process.stdout.close()
            first, second = log.read_text().splitlines()
            self.assertIn('"begin": ', first)
            self.assertIn('"fault": "none"', second)


POINT = Point(3, 2)


def bus(numbers_transactions: bool = False, spells: tuple = (), **changes) -> Bus:
    """A bus on which unit 3 was asked for registers 2 to 5 at 1, 2 and 3 s, numbers 1 to 3."""
    made = Bus("line", numbers_transactions, 150, 3, list(spells), 0)
    record = {"unit": 3, "function": 3, "address": 2, "count": 4, "fault": "late", **changes}
    made.take_log(
        {**record, "asked": 1000.0 * n, "sent": 1000.0 * n + 5, "number": n, **changes}
        for n in (1, 2, 3)
    )
    return made


def value(unit: int = 3, address: int = 2, number: int = 2) -> int:
    return unit << 24 | address << 16 | number


class Judging(unittest.TestCase):
    def judged(self, of: Bus, found: int, time: int = 2010) -> Verdict:
        verdict = Verdict()
        judge_values(of, 3, POINT, [Outcome(time, found, "")], verdict)
        return verdict

    def test_the_newest_answer_is_right_and_any_other_is_wrong(self):
        self.assertEqual(self.judged(bus(), value()).wrong, [])
        for wrong in (value(unit=4), value(address=4), value(number=1), value(number=3), 7):
            self.assertEqual(len(self.judged(bus(), wrong).wrong), 1)

    def test_a_value_of_a_bit_is_compared_with_its_number(self):
        point = Point(2, 0, 1)
        of = bus(function=2, address=0, count=16)
        for number, found, wrongs in ((2, True, 0), (2, False, 1), (3, True, 0)):
            verdict = Verdict()
            judge_values(of, 3, point, [Outcome(1000 * number + 9, found, "")], verdict)
            self.assertEqual(len(verdict.wrong), wrongs)

    def test_what_came_beyond_the_window_is_counted_on_a_line_and_wrong_over_tcp(self):
        late = {"sent": 1500.0}
        self.assertEqual(self.judged(bus(**late), value(number=1)).beyond, 1)
        verdict = self.judged(bus(True, **late), value(number=1))
        self.assertEqual((verdict.beyond, len(verdict.wrong)), (0, 1))
        # Within the window it is a fault of the master's.
        self.assertEqual(len(self.judged(bus(sent=1400.0), value(number=1)).wrong), 1)

    def test_a_bit_is_beyond_the_window_only_if_a_late_answer_came_while_it_was_asked_for(self):
        point = Point(2, 0, 0)
        of = bus(function=2, address=0, count=16)
        (key,) = of.requests
        # The first request's answer, whose bit is set, at various times; the second's is not.
        for sent, found, beyond, wrongs in (
            (2004, True, 1, 0), (1990, True, 0, 1), (2040, True, 0, 1), (2004, False, 0, 0),
        ):
            of.requests[key][0] = of.requests[key][0]._replace(sent=sent)
            verdict = Verdict()
            judge_values(of, 3, point, [Outcome(2010, found, "")], verdict)
            self.assertEqual((verdict.beyond, len(verdict.wrong)), (beyond, wrongs))

    def test_what_the_checksum_can_not_see_is_counted(self):
        verdict = self.judged(bus(unseen=True), 7)
        self.assertEqual((verdict.unseen, verdict.wrong), (1, []))

    def test_a_cycle_without_an_outcome_is_missing(self):
        outcomes = [Outcome(1000 * n, 1, "") for n in range(20)]
        for left_out, not_read, missing in ((0, 0, 0), (1, 0, 0), (2, 0, 1), (2, 2, 0), (5, 5, 0)):
            verdict = Verdict()
            found = outcomes[:3] + outcomes[3 + left_out :]
            judge_cycles("p", found, 1000, not_read, 0, 19_500, verdict)
            self.assertEqual(len(verdict.missing), missing, (left_out, not_read))
        verdict = Verdict()
        judge_cycles("p", outcomes[:10], 1000, 0, 0, 19_500, verdict)
        self.assertEqual(len(verdict.missing), 1)

    def test_only_what_a_unit_suffers_without_a_fault_of_its_own_counts(self):
        outcomes = [Outcome(1000 * n, None if n in (5, 6, 12) else n, "timeout") for n in range(20)]
        outcomes[15] = Outcome(15_300, 1, "")
        verdict = Verdict()
        spell = Spell(4.5, 6.2, 3, ("cut",), 1)
        judge_neighbours(bus(spells=(spell,)), 3, outcomes, 1000, verdict)
        self.assertEqual(verdict.hurt, {"timeout": 1})
        self.assertEqual(verdict.recoveries, [800])
        # The cycle that was hurt, and the one that was 300 ms late.
        self.assertEqual(sorted(verdict.stretches)[-2:], [300, 1000])

    def test_every_fault_is_planned_for_and_no_more_than_two_units_are_sick(self):
        plan = discover()["modbus"].plan(150, Random(1))
        for name, framing in (("line", "rtu"), ("server", "rtu"), ("station", "tcp")):
            spells = [trouble.spell for trouble in plan if trouble.bus == name]
            self.assertEqual({s.kinds[0] for s in spells}, set(kinds(FRAMINGS[framing])))
            for spell in spells:
                others = [s for s in spells if s.begin <= spell.begin < s.end]
                self.assertLessEqual(len(others), 2)
                self.assertEqual(len({s.unit for s in others}), len(others))


if __name__ == "__main__":
    unittest.main()
