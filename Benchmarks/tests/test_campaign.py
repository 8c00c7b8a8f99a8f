"""The pure parts of the campaigns: plans, accounts, growth; and the wire that is cut."""

import os
import socket
import threading
import time
import unittest
from random import Random

from campaign.account import Account, TimeGap, uncovered
from campaign.growth import Measure, growths
from campaign.link import Link
from campaign.missing import missing
from campaign.programs import free_ports
from campaign.scenario import discover
from campaign.scenarios import power_cuts
from campaign.scenarios.kills import Kills
from campaign.scenarios.outages import KINDS
from campaign.scenarios.uml import Uml
from campaign.scenarios.wear import Wear, journal_blocks
from campaign.scenarios.wear import judge as judge_wear
from campaign.wire import CALL, OPEN, Wire


def report(**changes) -> dict:
    """An account of edge-receive's in which nothing is missing."""
    return {
        "problems": [],
        "truth": {"served": 100, "delivered": 100, "lost": 0, "explained": {}, "invented": 0},
        "messages": {"history": 3},
        "repeats": 2,
        "out-of-order": {"count": 0},
        "streams": [
            {"store": "a", "epoch": 1, "stream": "data", "batches": 9, "holes": []},
            {"store": "a", "epoch": 1, "stream": "events", "batches": 2, "holes": []},
        ],
        "time-gaps": [],
        "latency": {"live": None},
        **changes,
    }


class Plans(unittest.TestCase):
    def test_same_seed_same_faults(self):
        for name, scenario in discover().items():
            with self.subTest(name):
                one, same, other = (
                    list(map(str, scenario.plan(200, Random(seed)))) for seed in (1, 1, 2)
                )
                self.assertEqual(one, same)
                # What the store writes is measured the same way each time.
                if name != "wear":
                    self.assertNotEqual(one, other)

    def test_every_kind_of_outage_comes(self):
        plan = discover()["outages"].plan(200, Random(1))
        self.assertEqual({outage.kind for outage in plan}, set(KINDS))

    def test_some_kills_while_the_broker_is_away_and_amid_the_start(self):
        plan = discover()["kills"].plan(200, Random(1))
        self.assertEqual(len(plan), 200)
        self.assertGreater(sum(kill.broker == "away" for kill in plan), 20)
        self.assertGreater(sum(kill.after < 0.1 for kill in plan), 5)
        for kill in plan:
            self.assertTrue(kill.change is None or 0 <= kill.change <= kill.after)

    def test_the_last_seconds_of_flapping_are_quiet(self):
        for seed in range(20):
            plan = discover()["flap"].plan(60, Random(seed))
            lasting = [flap for flap in plan if flap.kind not in ("reload", "ends")]
            self.assertLess(max(flap.until for flap in lasting), 60)
            self.assertLess(max(flap.second for flap in lasting), 50)

    def test_long_flapping_has_no_more_faults_than_the_simulator_takes(self):
        for seconds in (1800, 7200, 24 * 3600):
            plan = discover()["flap"].plan(seconds, Random(1))
            self.assertLessEqual(sum(":" in flap.target for flap in plan), 1000)

    def test_every_power_cut_has_a_seed(self):
        plan = discover()["power-cuts"].plan(12_001, Random(1))
        self.assertEqual(sum(seeds.count for seeds in plan), 2401)
        self.assertEqual(plan[1].first, plan[0].first + plan[0].count)


class Accounts(unittest.TestCase):
    def test_reads_a_complete_account(self):
        account = Account.of(report())
        self.assertEqual((account.served, account.batches, account.epochs), (100, 9, 1))
        self.assertEqual(account.nothing_missing(), [])

    def test_a_named_loss_is_still_a_loss_where_nothing_may_be_missing(self):
        truth = {"served": 9, "delivered": 8, "lost": 0, "explained": {"evicted": 1}, "invented": 0}
        account = Account.of(report(truth=truth))
        self.assertEqual(account.problems, [])
        self.assertEqual(len(account.nothing_missing()), 1)

    def test_nothing_served_is_no_success(self):
        truth = {"served": 0, "delivered": 0, "lost": 0, "explained": {}, "invented": 0}
        self.assertEqual(Account.of(report(truth=truth)).nothing_missing(), ["nothing was served"])

    def test_problems_of_the_account_are_problems_of_the_run(self):
        account = Account.of(report(problems=["2 served values lost"]))
        self.assertEqual(account.nothing_missing(), ["2 served values lost"])
        self.assertEqual(Kills.judge(account, 1, []), ["2 served values lost"])

    def test_uncovered(self):
        self.assertEqual(uncovered((10, 20), [(0, 30)]), 0)
        self.assertEqual(uncovered((10, 20), []), 10)
        self.assertEqual(uncovered((10, 20), [(15, 30), (5, 12)]), 3)
        self.assertEqual(uncovered((10, 20), [(12, 13), (13, 14)]), 8)
        self.assertEqual(uncovered((10, 20), [(0, 5), (25, 30)]), 10)

    def test_a_gap_that_reaches_beyond_the_commit_window_of_a_kill(self):
        gap = {"stream": "data", "from": 1000, "to": 3000, "reason": "unclean-stop"}
        account = Account.of(report(**{"time-gaps": [gap]}))
        self.assertEqual(account.gaps, [TimeGap("data", 1000, 3000, "unclean-stop")])
        self.assertEqual(Kills.judge(account, 1, [(900, 3100)]), [])
        problems = Kills.judge(account, 1, [(1500, 3100)])
        self.assertEqual(len(problems), 1)
        self.assertIn("500 ms beyond", problems[0])

    def test_more_missing_than_was_in_hand_at_the_kills(self):
        truth = {"served": 999, "delivered": 934, "lost": 0, "explained": {"unclean-stop": 65}}
        account = Account.of(report(truth={**truth, "invented": 0}))
        self.assertEqual(len(Kills.judge(account, 1, [])), 1)
        self.assertEqual(Kills.judge(account, 2, []), [])
        self.assertEqual(Kills.judge(account, 1, [], slack=0.3), [])


class PowerCuts(unittest.TestCase):
    def test_cuts_amid_boot_start_and_load(self):
        plan = discover()["uml"].plan(200, Random(1))
        self.assertEqual({cut.amid for cut in plan}, {"boot", "start", "load"})
        self.assertGreater(sum(cut.broker == "away" for cut in plan), 20)

    def test_what_was_committed_may_not_be_missing(self):
        gap = {"stream": "data", "from": 1000, "to": 3000, "reason": "unclean-stop"}
        account = Account.of(report(**{"time-gaps": [gap]}))
        self.assertEqual(Uml.judge(account, [(900, 3100)], [900, 3100]), [])
        self.assertIn("400 ms beyond", Uml.judge(account, [(1400, 3100)], [])[0])
        self.assertIn("1 values never", Uml.judge(account, [(900, 3100)], [950, 3101])[0])

    def test_values_that_no_gap_may_name(self):
        truth = {"served": 9, "delivered": 8, "lost": 0, "explained": {"damaged": 1}, "invented": 0}
        self.assertEqual(len(Uml.judge(Account.of(report(truth=truth)), [(0, 1)], [])), 1)

    def test_what_never_came(self):
        truth = [
            '{"time": 5, "device": "a", "values": {"x": 1.50, "y": 2}}',
            '{"time": 6, "device": "a", "values": {"x": 1.5}}',
            '{"time": 7, "device": "a", "fault": "silent"}',
            '{"time": 8, "device": "b", "values": {"x": 1.5}}',
            '{"time": 9, "device": "a", "values": {"x": 9}}',
        ]
        batch = '{"samples": [{"device": "a", "values": {"x": 1.5, "y": 2}, "raw": {"x": 9}}]}'
        self.assertEqual(missing(truth, [batch]), [5, 8])

    def test_wear_is_held_to_what_is_promised(self):
        written = {"disk": 81_000, "agent": 40_000, "cursors": 0, "journal": 9, "requests": 20}
        wear = Wear(1, "defaults", 10, 8)
        self.assertEqual(len(judge_wear(wear, written, 10, [])[1]), 1)
        figures, problems = judge_wear(wear, {**written, "disk": 79_000}, 10, [])
        self.assertEqual((figures["KB/s"], problems), (7.9, []))
        self.assertEqual(len(judge_wear(wear, {**written, "disk": 0}, 10, [])[1]), 1)

    def test_blocks_of_the_file_systems_journal(self):
        info = "7 transactions (5 requested), each up to 8192 blocks\naverage: \n"
        info += "  3 handles per transaction\n  4 blocks per transaction\n"
        self.assertEqual(journal_blocks(info + "  5 logged blocks per transaction\n"), 49)
        self.assertEqual(journal_blocks(""), 0)


class Wires(unittest.TestCase):
    """One end forwards what connects to it; the other connects it to a server."""

    def setUp(self):
        inside, outside = socket.socketpair()
        self.ends = [Wire(end.fileno(), end.fileno()) for end in (inside, outside)]
        self.server = socket.create_server(("127.0.0.1", 0))
        self.server.settimeout(5)
        self.calls = []
        for wire in self.ends:
            threading.Thread(target=wire.run, args=(self._take,), daemon=True).start()
        for end in (inside, outside, self.server):
            self.addCleanup(end.close)
        self.addCleanup(lambda: (inside.shutdown(socket.SHUT_RDWR), self._wait_until_ended()))

    def _wait_until_ended(self):
        end = time.monotonic() + 5
        while not all(wire.is_ended for wire in self.ends) and time.monotonic() < end:
            time.sleep(0.01)

    def _take(self, kind, channel, payload):
        if kind == OPEN:
            far = socket.create_connection(self.server.getsockname(), 5)
            far.settimeout(None)
            self.ends[1].carry(channel, far)
        else:
            self.calls.append((kind, channel, payload))

    def _connect(self):
        listener = socket.create_server(("127.0.0.1", 0))
        client = socket.create_connection(listener.getsockname(), 5)
        near, _ = listener.accept()
        listener.close()
        self.ends[0].send(OPEN, 7)
        self.ends[0].carry(7, near)
        far, _ = self.server.accept()
        far.settimeout(5)
        self.addCleanup(client.close)
        self.addCleanup(far.close)
        return client, far

    def test_carries_both_ways_and_more_than_a_frame(self):
        client, far = self._connect()
        sent = os.urandom(200_000)
        threading.Thread(target=client.sendall, args=(sent,)).start()
        got = b""
        while len(got) < len(sent):
            got += far.recv(65536)
        self.assertEqual(got, sent)
        far.sendall(b"down")
        self.assertEqual(client.recv(9), b"down")

    def test_an_end_is_carried(self):
        client, far = self._connect()
        client.close()
        self.assertEqual(far.recv(9), b"")

    def test_calls_are_passed_on(self):
        self.ends[0].send(CALL, 3, b"{}")
        end = time.monotonic() + 5
        while not self.calls and time.monotonic() < end:
            time.sleep(0.01)
        self.assertEqual(self.calls, [(CALL, 3, b"{}")])


class Growths(unittest.TestCase):
    @staticmethod
    def measures(anonymous, seconds=60):
        return [Measure(s, 9000, anonymous(s), 30, 16) for s in range(1, seconds + 1)]

    def test_a_leak_is_growth(self):
        found = growths(self.measures(lambda second: 2000 + 100 * second))
        self.assertEqual([g.name for g in found if g.is_growth], ["anonymous"])

    def test_what_flaps_is_none(self):
        found = growths(self.measures(lambda second: 2000 + 4000 * (second % 3 == 0)))
        self.assertEqual([str(g) for g in found if g.is_growth], [])

    def test_too_short_to_tell(self):
        self.assertEqual(growths(self.measures(lambda second: 1, seconds=5)), [])


class PowerCutLogs(unittest.TestCase):
    def test_counts_cases_and_failures(self):
        log = (
            '✔ Test "What was synced" with 60 test cases passed after 1.2 seconds.\n'
            '✘ Test "explained" recorded an issue with 1 argument seed → 7 at X.swift:1:2: no\n'
            '✘ Test "explained" with 40 test cases failed after 0.2 seconds with 1 issue.\n'
        )
        failures, cases = power_cuts.judge(log)
        self.assertEqual((len(failures), cases), (1, 100))


class Links(unittest.TestCase):
    def setUp(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.server.settimeout(5)
        self.link = Link(free_ports(), self.server.getsockname()[1])
        self.client = socket.create_connection(("127.0.0.1", self.link.port), 5)
        self.far, _ = self.server.accept()
        self.far.settimeout(5)
        self.addCleanup(self.server.close)
        self.addCleanup(self.link.close)
        self.addCleanup(self.client.close)
        self.addCleanup(self.far.close)

    def test_carries_both_ways(self):
        self.client.sendall(b"up")
        self.assertEqual(self.far.recv(9), b"up")
        self.far.sendall(b"down")
        self.assertEqual(self.client.recv(9), b"down")

    def test_cuts_amid_what_is_sent(self):
        self.link.cut_after(3)
        self.client.sendall(b"publish")
        self.assertEqual(self.far.recv(9), b"pub")
        with self.assertRaises(ConnectionResetError):
            while self.client.recv(9):
                pass
        self.assertEqual(self.link.cuts, 1)

    def test_holds_back_and_delivers_later(self):
        self.link.carry(down=False)
        self.far.sendall(b"ack")
        self.client.settimeout(0.2)
        with self.assertRaises(TimeoutError):
            self.client.recv(9)
        self.client.settimeout(5)
        self.link.carry()
        self.assertEqual(self.client.recv(9), b"ack")

    def test_refuses_and_takes_again(self):
        self.link.refuse()
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", self.link.port), 5)
        self.link.refuse(False)
        socket.create_connection(("127.0.0.1", self.link.port), 5).close()

    def test_an_idle_link_costs_nothing(self):
        self.link.carry(up=False, down=False)
        self.client.sendall(b"waits")
        begin, cpu = time.monotonic(), time.process_time()
        time.sleep(0.1)
        share = (time.process_time() - cpu) / (time.monotonic() - begin)
        self.assertLess(share, 0.5)


if __name__ == "__main__":
    unittest.main()
