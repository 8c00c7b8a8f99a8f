"""Where the programs are that scripts/bench has built."""

import os
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent.parent


def agent_program(name: str) -> Path:
    """A release program of the agent's package; EDGE_PROGRAMS names another directory."""
    return Path(os.environ.get("EDGE_PROGRAMS") or _ROOT / ".build/release") / name


def benchmark_program(name: str) -> Path:
    """A release program of Benchmarks/; BENCH_PROGRAMS names another directory."""
    directory = os.environ.get("BENCH_PROGRAMS") or _ROOT / "Benchmarks/.build/release"
    return Path(directory) / name
