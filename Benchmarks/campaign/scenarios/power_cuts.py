"""The store's property tests on the simulated disk, with as many seeds as asked for."""

import os
import re
import signal
import subprocess
from dataclasses import dataclass
from random import Random
from typing import Sequence

from campaign.programs import RunFailed
from campaign.rig import SOURCE_TREE
from campaign.scenario import Outcome, Setting

TESTS = r"[./](PowerCutTests/(powerCuts|explained)|ModelTests/model)\("
TESTS_A_SEED = 3

# Of each seed, one test cuts four times, another once; those of the model test are not counted.
CUTS_A_SEED = 5

# One run of the tests: its log stays readable and a hang costs little.
SEEDS_A_RUN = 2000
RUN_SECONDS = 1800


@dataclass(frozen=True)
class Seeds:
    """A run of the tests."""

    first: int
    count: int

    def __str__(self) -> str:
        return f"seeds {self.first} to {self.first + self.count - 1}"


class PowerCuts:
    name = "power-cuts"
    description = "power cuts on the simulated disk: what was synced is there, other loss is named"
    unit = "cuts"
    seconds_each = 0.1
    least = CUTS_A_SEED

    def plan(self, count: int, random: Random) -> Sequence[Seeds]:
        first = random.randrange(1 << 40)
        seeds = -(-count // CUTS_A_SEED)
        return [
            Seeds(first + done, min(SEEDS_A_RUN, seeds - done))
            for done in range(0, seeds, SEEDS_A_RUN)
        ]

    def run(self, plan: Sequence[Seeds], random: Random, setting: Setting) -> Outcome:
        build = ["swift", "build", "--build-tests", "--package-path", str(SOURCE_TREE)]
        if self._call(build, setting, {}, "build.log"):
            raise RunFailed(f"the tests don't build; see {setting.directory}/build.log")
        problems, cuts, passed = [], 0, 0
        for number, seeds in enumerate(plan, 1):
            log = f"tests-{number}.log"
            variables = {"CAMPAIGN_SEED": str(seeds.first), "CAMPAIGN_COUNT": str(seeds.count)}
            test = ["swift", "test", "--skip-build", "--package-path", str(SOURCE_TREE)]
            status = self._call(test + ["--filter", TESTS], setting, variables, log)
            text = (setting.directory / log).read_text(errors="replace")
            failures, cases = judge(text)
            passed += cases
            cuts += seeds.count * CUTS_A_SEED
            problems += failures[:20]
            if status and not failures:
                problems.append(f"the tests ended with {status}; see {setting.directory / log}")
            if cases != TESTS_A_SEED * seeds.count:
                problems.append(f"{seeds}: {cases} test cases ran of {TESTS_A_SEED * seeds.count}")
            setting.say(f"{cuts} cuts")
        counted = {
            "cuts": cuts,
            "seeds": f"{plan[0].first} to {plan[-1].first + plan[-1].count - 1}",
            "test cases": passed,
            "failures": len(problems),
        }
        return Outcome(counted, problems)

    @staticmethod
    def _call(words: list[str], setting: Setting, variables: dict[str, str], log: str) -> int:
        environment = {**os.environ, "SWIFT_BACKTRACE": "enable=no", **variables}
        with open(setting.directory / log, "wb") as output:
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment,
                process_group=0,
            )
        try:
            return process.wait(RUN_SECONDS)
        except subprocess.TimeoutExpired:
            return -1
        finally:
            # What runs the tests is a child of its own.
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def judge(log: str) -> tuple[list[str], int]:
    """Failures, and how many test cases ran, by what the tests' run printed."""
    failures = [line.strip() for line in log.splitlines() if "recorded an issue" in line]
    cases = re.findall(r"Test .* with (\d+) test cases? (?:passed|failed)", log)
    return failures, sum(map(int, cases))


scenario = PowerCuts()
