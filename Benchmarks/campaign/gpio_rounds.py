"""What is done with lines that work, and how it is judged."""

import time
from random import Random
from typing import Any, Sequence

from campaign.gpio_judge import (
    LATE, PASSES, bad, edges, even, judge_count, judge_frequency, judge_levels, judge_no_more,
    judge_order,
)
from campaign.gpio_rig import (
    AREA, BAND, COUNTS, DEBOUNCE, EVERY, LINES, MARGIN, SCALE, WINDOW, GpioRig, Sample,
)

# Lines that are pulled as contacts.
CONTACTS = ("contact", "low", "up", "down")
# Milliseconds: two ticks of the machine's kernel apart, edges are two to it.
LEAST_APART = 20
# So often a frequency is given until the host was quiet enough to give it evenly.
TRIES = 8
# Seconds in which a line that failed is tried again, and its sample is received.
HEALED = 8


class Rounds:
    """Rounds of a rig's lines that work, and the account of them all."""

    def __init__(self, rig: GpioRig):
        self.rig = rig
        self.counted: dict[str, Any] = {}
        self._people = 0
        self.late = LATE + int(1e6 * rig.setting.slack)

    def add(self, name: str, number: int = 1) -> None:
        self.counted[name] = self.counted.get(name, 0) + number

    def most(self, name: str, number: float | None) -> None:
        if number is not None:
            self.counted[name] = max(self.counted.get(name, 0), round(number, 5))

    # Levels

    def pull_and_judge(self, steps: list[tuple[str, bool, int]], extra: float = 0) -> list[str]:
        """Pulls lines of one chip and judges what comes of them as contacts."""
        rig, names = self.rig, sorted({name for name, _, _ in steps})
        since, was = rig.now(), {name: rig.is_active(name) for name in names}
        pulls = rig.pull(*steps)
        # The last edge is to be in what is looked at.
        time.sleep(extra + self.late / 1e6)
        until = rig.settle(*names)
        problems = []
        for name in names:
            line = LINES[name]
            changes = edges(line, pulls, extra)
            samples = rig.records.of(name, since, until)
            # The kernel dates a level that it debounces when it has held, others date its edge.
            late = self.late + int(1e6 * extra)
            problems += judge_levels(line, was[name], changes, samples, late)
            problems += judge_no_more(line, len(changes), samples, was[name])
            self.add("edges of contacts", len(changes))
            for is_active, pull in [] if extra else changes:
                times = [s.time * 1000 for s in samples if s.time * 1000 >= pull.begin - 2000
                         and s.values.get("value") is is_active]
                self.most("ms from pull to stamp", (min(times, default=0) - pull.begin) / 1000)
        return problems

    def levels(self, random: Random) -> list[str]:
        problems = []
        for name, flag in (("low", "active-low"), ("up", "bias-pull-up"), ("down", "bias-pull-down")):
            flags = self.rig.agent.call("line", LINES[name].chip, LINES[name].offset)["flags"]
            if flag not in flags:
                problems.append(f"{name}: the kernel has {flags}, {flag} is expected")
        steps = [
            (random.choice(CONTACTS), random.random() < 0.5, random.randrange(30, 120))
            for _ in range(24)
        ]
        problems += self.pull_and_judge(steps)
        return problems + self.pull_and_judge(
            [(random.choice(("apart", "seal")), random.random() < 0.5, 40) for _ in range(6)]
        )

    def bounce(self, random: Random) -> list[str]:
        """A contact that bounces is one change, or none if it ends where it was."""
        steps, counts = self._bounces("bouncing", random), self._bounces("bouncing-count", random)
        problems = self.pull_and_judge(steps, DEBOUNCE)
        self.rig.pull(*counts)
        time.sleep(2 * DEBOUNCE)
        self.rig.settle("bouncing-count")
        return problems

    def _bounces(self, name: str, random: Random) -> list[tuple[str, bool, int]]:
        steps, is_high = [], self.rig.is_high(name)
        for _ in range(4):
            wait = 250
            for _ in range(random.randrange(1, 8)):
                is_high = not is_high
                steps.append((name, is_high, wait))
                wait = LEAST_APART
        self.add("edges of bounces", len(steps))
        return steps

    # Counts: they are judged over the whole run.

    def train(self, random: Random, count: int) -> list[tuple[str, bool, int]]:
        """Edges of all counts of the first chip."""
        high = {line.name: self.rig.is_high(line.name) for line in COUNTS if line.chip == "sim-a"}
        del high["bouncing-count"]
        steps = []
        for _ in range(count):
            name = random.choice(sorted(high))
            high[name] = not high[name]
            steps.append((name, high[name], LEAST_APART))
        return steps

    def counts(self, random: Random) -> list[str]:
        pulls = self.rig.pull(*self.train(random, 60))
        pulls += self.rig.pull(*(("apart-count", n % 2 == 0, LEAST_APART) for n in range(20)))
        self.rig.settle(*(line.name for line in COUNTS))
        self.add("edges of counts", len(pulls))
        return []

    def kill(self, random: Random) -> list[str]:
        path = self.rig.pull_on(self.train(random, 200))
        time.sleep(random.uniform(0.3, 3.5))
        self.rig.kill_agent()
        # What comes while nobody counts is nobody's.
        self.rig.agent.call("wait_for_pulls")
        self.add("edges of counts", len(self.rig.take_pulls(path)))
        self.rig.start_again()
        return self.people_are_kept("kill -9")

    def cut(self, random: Random) -> list[str]:
        path = self.rig.pull_on(self.train(random, 250))
        time.sleep(random.uniform(0.3, 4.5))
        self.rig.cut()
        self.add("edges of counts", len(self.rig.take_pulls(path)))
        self.rig.start_agent()
        return self.people_are_kept("power cut")

    # Heads

    def set_headcount(self, people: int) -> None:
        words = ("headcount", "set", AREA, str(people), "--operator", "judge", "--reason", "campaign")
        self.rig.command(*words, "--socket", "/run/control.sock")
        self._people = people
        self.rig.settle(AREA)

    def heads(self) -> Any:
        sample = self.rig.records.of(AREA)[-1]
        return sample.values.get("count", sample.bad.get("count"))

    def people_are_kept(self, what: str) -> list[str]:
        self.rig.settle(AREA)
        heads = self.heads()
        if heads != self._people:
            return [f"{heads} people in {AREA} after a {what}, {self._people} before"]
        return []

    def passed(self, steps: list[tuple[str, bool, int]], change: int, what: str) -> list[str]:
        self.rig.pull(*steps)
        self.rig.settle(AREA)
        self._people += change
        if self.heads() == self._people:
            return []
        problem = f"{self.heads()} people in {AREA} after {what}, {self._people} are right"
        self.set_headcount(self._people)
        return [problem]

    def beams(self, random: Random) -> list[str]:
        """All orders of edges of two beams."""
        problems = []
        orders = random.sample(sorted(PASSES), len(PASSES))
        for order in orders:
            steps = [
                ("outer" if edge in "Oo" else "inner", edge in "OI", random.randrange(20, 90))
                for edge in order
            ]
            problems += self.passed(steps, PASSES[order], f"the beams' order {order}")
            self.add("passes of beams")
        return problems

    def turnstiles(self, random: Random) -> list[str]:
        names = [random.choice(("enter", "leave")) for _ in range(8)]
        steps = [(name, is_high, 40) for name in names for is_high in (True, False)]
        change = names.count("enter") - names.count("leave")
        self.add("passes of turnstiles", len(names))
        return self.passed(steps, change, f"turnstiles {' '.join(names)}")

    # Frequencies

    def frequency(self, random: Random) -> list[str]:
        rig, ticks = self.rig, random.choice((3, 4, 5))
        hertz = 100 / ticks
        steps = [
            ("speed", is_high, wait * 10)
            for _ in range(int((WINDOW + 2) * hertz))
            for is_high, wait in ((True, ticks - ticks // 2), (False, ticks // 2))
        ]
        for _ in range(TRIES):
            begin = len(rig.pulls)
            samples = self._measured(steps)
            rising = [pull.begin for pull in rig.pulls[begin:] if pull.is_high]
            samples = even(rising, samples, WINDOW)
            if samples:
                break
        if not samples:
            return ["the host was too busy to give an even frequency"]
        problems, worst = judge_frequency(hertz, samples, BAND, SCALE)
        self.add("frequencies measured", len(samples))
        self.most("worst frequency, per cent", worst and 100 * worst)
        # A frequency that no sensor of the kind gives, then silence.
        ticks = 12
        assert 100 / ticks < BAND[0] - MARGIN
        steps = [("speed", n % 2 == 0, ticks * 5) for n in range(int((WINDOW + 1.5) * 200 / ticks))]
        samples = self._measured(steps)
        if not samples:
            problems.append("no sample was taken of a frequency out of its band")
        for sample in samples:
            problems += bad("speed", sample, "value", "out-of-band")
        since = rig.pulls[-1].end + int((WINDOW + EVERY) * 1e6)
        rig.wait_for("a sample of silence", lambda r: bool(r.of("speed", since)), HEALED)
        return problems + bad("speed", rig.records.of("speed", since)[0], "value", "signal-lost")

    def _measured(self, steps: list[tuple[str, bool, int]]) -> list[Sample]:
        """Samples that have nothing but these edges in their window."""
        pulls = self.rig.pull(*steps)
        self.rig.settle("speed")
        since = pulls[0].begin + int((WINDOW + EVERY) * 1e6)
        return self.rig.records.of("speed", since, pulls[-1].begin)

    # The whole run

    def judge_run(self) -> list[str]:
        """Judges what only the whole run tells: each count, over every end of the agent."""
        rig, problems = self.rig, []
        for device in (*LINES, AREA):
            problems += judge_order(rig.records.of(device))
        for line in COUNTS:
            debounce = DEBOUNCE if "debounce" in line.options else 0
            problems += judge_count(
                line, rig.pulls, rig.lives, rig.records, debounce, rig.setting.slack
            )
        if rig.agent_status != 0:
            problems.append(f"the agent stopped with {rig.agent_status}")
        return problems
