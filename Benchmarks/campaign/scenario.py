"""What a scenario is, and how scenarios are found."""

import importlib
import pkgutil
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Callable, Protocol, Sequence

from campaign import scenarios


@dataclass(frozen=True)
class Setting:
    """What a scenario is run with."""

    directory: Path
    """Where everything that it writes goes."""
    programs: Path
    """The directory of edge-agent, edge-receive and mine-simulator."""
    slack: float
    """Seconds that programs may be late: unoptimised or sanitized ones, or on a slow disk."""
    say: Callable[[str], None]
    """Shows a line of progress."""
    judges_growth: bool = True
    """Not of sanitized programs, which keep memory of their own."""


@dataclass
class Outcome:
    """What came of a run."""

    counted: dict[str, Any] = field(default_factory=dict)
    """Figures, by name, in the order in which they are shown."""
    problems: list[str] = field(default_factory=list)
    """Why the account is not complete; none if it is."""


class Scenario(Protocol):
    """A seeded sequence of faults and the account at its end.

    A module in campaign/scenarios/ makes one, under the name `scenario`.
    """

    name: str
    description: str
    """One line."""
    unit: str
    """What is counted, in the plural."""
    seconds_each: float
    """How long one of them takes, about."""
    least: int
    """The smallest count that makes sense."""

    def plan(self, count: int, random: Random) -> Sequence[Any]:
        """The faults in their order: of one seed always the same. `str` of each is shown."""

    def run(self, plan: Sequence[Any], random: Random, setting: Setting) -> Outcome:
        """Plays the plan. `random` goes on where the plan left it."""


def discover() -> dict[str, Scenario]:
    """All scenarios by name."""
    found = {}
    for module in pkgutil.iter_modules(scenarios.__path__):
        scenario = importlib.import_module(f"{scenarios.__name__}.{module.name}").scenario
        found[scenario.name] = scenario
    return dict(sorted(found.items()))
