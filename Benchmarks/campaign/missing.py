"""Values that were served and never came, looked for without the receiver's account.

The account takes the agent's word for what a gap covers. This looks at nothing but what was sent
and what arrived. Values of one point are told apart by their digits: use it with a signal whose
readings hardly ever repeat.
"""

import json
import sqlite3
from pathlib import Path
from typing import Iterable


def missing_times(truth: Path, received: Path) -> list[int]:
    """When each value that is missing was served, Unix milliseconds, sorted."""
    base = sqlite3.connect(f"file:{received}?mode=ro", uri=True)
    try:
        words = "select payload from message where topic like '%/data' or topic like '%/data/history'"
        with open(truth) as lines:
            return missing(lines, (payload for (payload,) in base.execute(words)))
    finally:
        base.close()


def missing(truth: Iterable[str], payloads: Iterable[bytes | str]) -> list[int]:
    """The same of the truth's lines and the payloads of batches."""
    came = set()
    for payload in payloads:
        # As printed: both sides print the same digits.
        for sample in json.loads(payload, parse_float=str)["samples"]:
            for values in (sample.get("values", {}), sample.get("raw", {})):
                came.update((sample["device"], point, value) for point, value in values.items())
    times = []
    for line in truth:
        served = json.loads(line, parse_float=str)
        if "fault" not in served:
            times += [
                served["time"]
                for point, value in served["values"].items()
                if (served["device"], point, value) not in came
            ]
    return sorted(times)
