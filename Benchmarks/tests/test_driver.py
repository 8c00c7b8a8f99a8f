"""The driver's decisions, and that a run on real programs finds what a contestant loses."""

import contextlib
import io
import json
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path

from bench import __main__ as driver
from bench import cases
from bench.cases import QUICK, Outcome, layout
from bench.contestants.floor import Floor
from bench.mine import Reading
from bench.programs import benchmark_program
from bench.report import Results

_PROGRAMS = [f"bench-{name}" for name in ("slave", "subscriber", "floor")]
_ARE_BUILT = all(benchmark_program(name).exists() for name in _PROGRAMS)


class Leaky(Floor):
    """The floor; of what it delivers one value is dropped, one told twice, one made up."""

    only_cases = ()
    #: The window begins with the first values, so that the eighth are in its middle.
    warm_up = 0.0

    def readings(self, topic, payload, is_retained):
        found = []
        for reading in super().readings(topic, payload, is_retained):
            if reading[:4] == (3, 1, 5, 8):
                continue
            found.append(reading)
            if reading[:4] == (4, 1, 5, 8):
                found.append(reading)
            if reading[:4] == (5, 1, 5, 8):
                found.append(Reading(5, 1, 5, 900))
        return found


class RunTests(unittest.TestCase):
    @unittest.skipUnless(_ARE_BUILT, "the programs of Benchmarks/ are not built")
    def test_a_run_finds_what_a_contestant_loses_repeats_and_makes_up(self):
        options = replace(QUICK, steady=14)
        (outcome,) = cases.steady(Leaky, options)
        figures = outcome.figures
        self.assertEqual(figures["lost"], 1)
        self.assertEqual(figures["repeated"], 1)
        self.assertEqual(figures["unknown"], 1)
        self.assertGreaterEqual(figures["served"], 4 * 256)
        self.assertGreater(figures["cpu_s_min"], 0)
        self.assertGreater(figures["rss_mib"], 1)
        self.assertGreater(figures["wire_bytes_value"], 1)
        self.assertEqual(len(list(driver._problems("agent", outcome))), 2)
        self.assertEqual(len(list(driver._problems("floor", outcome))), 0)


class DecisionTests(unittest.TestCase):
    def test_only_what_the_agent_loses_outside_of_the_commit_window_is_a_problem(self):
        outcome = Outcome("outage+kill", {"lost": 256, "lost_outside": 0})
        self.assertEqual(list(driver._problems("agent", outcome)), [])
        outcome.figures["lost_outside"] = 1
        self.assertEqual(len(list(driver._problems("agent", outcome))), 1)

    def test_a_busy_load_and_a_failed_case_are_problems(self):
        busy = Outcome("steady", {"busy_slave": 0.71})
        self.assertEqual(len(list(driver._problems("collectd", busy))), 1)
        failed = Outcome("steady", notes={"failed": "no value"})
        self.assertEqual(len(list(driver._problems("agent", failed))), 1)

    def test_layouts_are_close_to_the_devices_asked_for(self):
        self.assertEqual(layout(1), (1, 1))
        self.assertEqual(layout(16), (16, 1))
        for devices in range(17, 3952, 5):
            stations, units = layout(devices)
            self.assertLessEqual(abs(stations * units - devices), max(1, 0.03 * devices))

    def test_the_search_brackets_every_limit(self):
        most = cases._MOST_DEVICES
        for limit in (0, 1, 2, 7, 16, 100, most - 1, most, most + 1):
            good, bad = cases._bracket(lambda devices: devices <= limit)
            if limit >= most:
                self.assertEqual((good, bad), (most, None))
            else:
                self.assertTrue(good <= limit < bad, f"{good} {limit} {bad}")


class ReportTests(unittest.TestCase):
    def test_ratios_are_to_the_floor_and_to_the_best_peer(self):
        runs = [
            {"run": 1, "contestant": name, "label": "steady", "notes": {}, "figures": figures}
            for name, figures in [
                ("agent", {"cpu_s_min": 2.0, "points_s": 100}),
                ("agent", {"cpu_s_min": 4.0, "points_s": 300}),
                ("agent", {"cpu_s_min": 3.0, "points_s": 200}),
                ("floor", {"cpu_s_min": 1.0, "points_s": 800}),
                ("collectd", {"cpu_s_min": 6.0, "points_s": 50}),
                ("other", {"cpu_s_min": 12.0, "points_s": None}),
            ]
        ]
        rows = "\n".join(Results({"runs": runs}).table("steady"))
        self.assertIn("| agent | 3 | 2.000 | 3.000 | 4.000 | 3.00 | 0.50 |", rows)
        self.assertIn("| other | 1 | 12.000 | 12.000 | 12.000 | 12.00 | 2.00 |", rows)
        self.assertIn("| agent | 3 | 100 | 200 | 300 | 0.25 | 4.00 |", rows)

    def test_a_file_of_results_reads_back(self):
        content = {"date": "today", "failures": [], "runs": [{"run": 1}, {"run": 2}]}
        with tempfile.TemporaryDirectory() as directory:
            out = Path(directory) / "results.json"
            driver._write(out, content)
            self.assertEqual(json.loads(out.read_text()), content)
            driver._write(out, {**content, "runs": []})
            self.assertEqual(json.loads(out.read_text())["runs"], [])

    def test_a_contestant_that_cannot_run_is_listed_with_its_reason(self):
        class Missing(Floor):
            only_cases = ()

            @classmethod
            def install(cls):
                raise driver.Unavailable("not here")

        with contextlib.redirect_stdout(io.StringIO()):
            able, unavailable = driver._install({"missing": Missing})
        self.assertEqual((able, unavailable), ({}, {"missing": "not here"}))


if __name__ == "__main__":
    unittest.main()
