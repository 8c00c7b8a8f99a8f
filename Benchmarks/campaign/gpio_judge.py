"""What simulated lines did, held against what was received of them. No I/O."""

from typing import Sequence

from campaign.gpio_rig import PULSE, Life, Line, Pull, Records, Sample
from campaign.rig import COMMIT

# Microseconds. The kernel of the machine sees a pull at its next tick, 10 ms later at most; then its
# thread has to run, and the host may have something else to do.
LATE = 40_000
# Times are sent in whole milliseconds, rounded down.
EARLY = 2_000
# Seconds. A count is sent when it changes, once a second at most, and synced within `commit`.
BEFORE = 1 + COMMIT + 0.6
# What the machine's clock and the host's may differ.
CLOCKS = 30_000


def edges(line: Line, pulls: Sequence[Pull], debounce: float = 0) -> list[tuple[bool, Pull]]:
    """The changes of a line, each with whether it became active; with a debounce time in seconds
    those that held."""
    own = [p for p in pulls if (p.chip, p.offset) == (line.chip, line.offset) and p.changes]
    if debounce:
        following = [pull.begin for pull in own[1:]] + [None]
        held = [
            pull for pull, next_one in zip(own, following)
            if next_one is None or next_one - pull.end >= 1e6 * debounce
        ]
        # A bounce that ends where it began is no change. The first one held is one if it is not
        # the level from before the first pull.
        own, level = [], (not own[0].is_high) if own else None
        for pull in held:
            if pull.is_high != level:
                own.append(pull)
                level = pull.is_high
    return [(pull.is_high != line.is_active_low, pull) for pull in own]


def counted(line: Line, pulls: Sequence[Pull], debounce: float = 0) -> list[Pull]:
    """The pulls that its count has to have."""
    wanted = {"rising": (True,), "falling": (False,), "both": (True, False)}[line.counts]
    return [pull for is_active, pull in edges(line, pulls, debounce) if is_active in wanted]


def judge_levels(
    line: Line, was_active: bool, changes: Sequence[tuple[bool, Pull]], samples: Sequence[Sample],
    late: int = LATE,
) -> list[str]:
    """Whether each change is a sample of its own at its time, and each sample true at its time."""
    problems = []
    for is_active, pull in changes:
        def is_it(sample: Sample) -> bool:
            at = sample.time * 1000
            return (
                sample.values.get("value") is is_active
                and pull.begin - EARLY <= at <= pull.end + late
            )

        if not any(map(is_it, samples)):
            problems.append(
                f"{line.name}: {'active' if is_active else 'inactive'} at {pull.begin} us came "
                f"never, or not within {late / 1000:g} ms"
            )
    for sample in samples:
        at, allowed = sample.time * 1000, {was_active}
        for is_active, pull in changes:
            if pull.begin - EARLY > at:
                break
            allowed = {is_active} if pull.end + late < at else allowed | {is_active}
        if sample.values.get("value") not in allowed:
            problems.append(f"{line.name}: {sample.values or sample.bad} at {sample.time} is untrue")
    return problems


def judge_no_more(line: Line, changes: int, samples: Sequence[Sample], was_active: bool) -> list[str]:
    """Whether the samples change exactly so often."""
    seen, level = 0, was_active
    for sample in samples:
        value = sample.values.get("value")
        if value is not None and value != level:
            seen, level = seen + 1, value
    return [] if seen == changes else [f"{line.name}: {seen} changes came of {changes}"]


def judge_count(
    line: Line, pulls: Sequence[Pull], lives: Sequence[Life], records: Records,
    debounce: float = 0, slack: float = 0,
) -> list[str]:
    """Whether a count is right over every end of the agent: nothing counted twice, nothing lost
    that is older than a commit before a kill or cut, and never lower without an event."""
    problems, least, most = [], 0, 0
    all_samples, told = records.of(line.name), records.told(line.name)
    late = int(LATE + 1e6 * (debounce + slack))
    for number, life in enumerate(lives):
        name = f"{line.name}, start {number + 1}"
        begun = [e for e in told if e.epoch == life.epoch and (e.state or "").startswith("count-")
                 and e.state != "count-suspect"]
        state = "count-resumed" if number else "count-began"
        if [event.state for event in begun] != [state]:
            problems.append(f"{name}: {state} is expected, not {[e.state for e in begun]}")
            return problems
        start = int(begun[0].details["count"])
        if not least <= start <= most:
            problems.append(f"{name}: goes on at {start}, {least} to {most} are right")
        suspects = [e for e in told if e.epoch == life.epoch and e.state == "count-suspect"]
        if suspects and line.name not in life.suspects:
            problems.append(f"{name}: suspect for no reason: {suspects[0].details}")
        # Of each life by itself: after a power cut the line is low, which nobody pulled.
        lived = [
            pull for pull in pulls
            if life.opened <= pull.begin and (life.ended is None or pull.begin < life.ended)
        ]
        own = counted(line, lived, debounce)
        samples = [sample for sample in all_samples if sample.epoch == life.epoch]
        problems += _within(name, start, own, samples, bool(suspects), late)
        least, most = _after(life, start, own, samples, bool(suspects), slack)
    return problems


def _within(
    name: str, start: int, own: Sequence[Pull], samples: Sequence[Sample], is_suspect: bool, late: int
) -> list[str]:
    """Problems of the samples between a start and an end."""
    last = start
    for sample in samples:
        count, at = sample.count(), sample.time * 1000
        if count is None:
            return [f"{name}: a sample without a count at {sample.time}"]
        count = int(count)
        if count < last:
            return [f"{name}: falls from {last} to {count} at {sample.time}"]
        last = count
        most = start + sum(pull.begin <= at + EARLY for pull in own)
        least = start + (0 if is_suspect else sum(pull.end + late <= at for pull in own))
        if not least <= count <= most:
            return [f"{name}: {count} at {sample.time}, {least} to {most} are right"]
        if "total" in sample.values and abs(float(sample.values["total"]) - PULSE * count) > 1e-9:
            return [f"{name}: {count} pulses are not {sample.values['total']} kWh"]
    return []


def _after(
    life: Life, start: int, own: Sequence[Pull], samples: Sequence[Sample], is_suspect: bool,
    slack: float,
) -> tuple[int, int]:
    """What the count may go on at after the end of a life."""
    if life.ended is None:
        return start, start + len(own)
    counts = [int(sample.count() or 0) for sample in samples]
    if life.how == "stop":
        last = counts[-1] if counts else start
        return (last, last) if is_suspect else (start + len(own), start + len(own))
    known = life.ended - int(1e6 * (BEFORE + slack))
    # One that was pulled when the power went may be missing in the driver's own notes.
    most = start + len(own) + (life.how == "cut")
    if is_suspect:
        times = [sample.time * 1000 for sample in samples]
        sure = [count for count, time in zip(counts, times) if time <= known]
        return max(sure, default=start), most
    return start + sum(pull.end <= known for pull in own), most


def bad(device: str, sample: Sample, point: str, reason: str) -> list[str]:
    """Whether a point is bad for that reason."""
    if sample.bad.get(point) == reason:
        return []
    return [f"{device}: {sample.values or sample.bad} at {sample.time}, {reason} is expected"]


def even(rising: Sequence[int], samples: Sequence[Sample], window: float) -> list[Sample]:
    """Those samples in whose window (seconds) the edges at those times (microseconds) came evenly:
    who pulls is late where the host is busy, and the kernel's stamps then later still."""
    found = []
    for sample in samples:
        end = sample.time * 1000
        own = [time for time in rising if end - 1e6 * window - LATE <= time <= end]
        apart = [later - earlier for earlier, later in zip(own, own[1:])]
        if apart and max(apart) - min(apart) <= UNEVEN:
            found.append(sample)
    return found


# Microseconds: less than from amid two ticks to the next one.
UNEVEN = 4_000


def judge_frequency(
    hertz: float, samples: Sequence[Sample], band: tuple[float, float], scale: tuple[float, float]
) -> tuple[list[str], float | None]:
    """Whether each sample is within 1 % of the frequency; and the worst, as a part of it."""
    problems, worst = [], None
    for sample in samples:
        measured, value = sample.values.get("frequency"), sample.values.get("value")
        if measured is None or value is None:
            problems.append(f"speed: {sample.bad} at {sample.time} of {hertz:.2f} Hz")
            continue
        worst = max(worst or 0, abs(measured / hertz - 1))
        if abs(measured / hertz - 1) > 0.01:
            problems.append(f"speed: {measured} Hz at {sample.time} of {hertz:.2f} Hz")
        share = (measured - band[0]) / (band[1] - band[0])
        expected = scale[0] + share * (scale[1] - scale[0])
        if abs(value - expected) > 0.01 * abs(scale[1] - scale[0]):
            problems.append(f"speed: {value} m/s stands for {measured} Hz, not {expected:.3f}")
    if not samples:
        problems.append("speed: no sample")
    return problems, worst


def judge_chatter(samples: Sequence[Sample]) -> list[str]:
    """Whether no second has more samples with a value than a contact may give, and those that are
    due beside."""
    times = sorted(sample.time for sample in samples if "value" in sample.values)
    for first, last in zip(times, times[MOST_CHANGES:]):
        if last - first < 1000:
            return [f"contact: {MOST_CHANGES + 1} samples in {last - first} ms from {first} on"]
    return []


# In a second: changes, and what is due at each `every`.
MOST_CHANGES = 50 + 3


def judge_order(samples: Sequence[Sample]) -> list[str]:
    """Whether a device's samples leave the agent in strictly increasing times."""
    return [
        f"{later.device}: {later.time} comes behind {earlier.time}"
        for earlier, later in zip(samples, samples[1:])
        if earlier.epoch == later.epoch and later.time <= earlier.time
    ]


def judge_silence(switches: dict[str, int], thread: str, seconds: float, every: float) -> list[str]:
    """Whether a thread that has nothing but its samples and its look at the lines was woken for
    them alone; `switches` are by thread id and name."""
    own = {name: count for name, count in switches.items() if name.split(" ", 1)[1] == thread}
    most = allowed_switches(seconds, every)
    if not own:
        return [f"the agent has no thread {thread!r}: {sorted(switches)}"]
    return [f"{name}: {n} switches in {seconds:g} s, at most {most} are allowed"
            for name, n in own.items() if n > most]


# Seconds between looks whether a line is still there.
LOOK = 5
# The driver's own questions, and a lock that was taken.
FEW = 6


def allowed_switches(seconds: float, every: float) -> int:
    return int(seconds / every + seconds / LOOK) + FEW


# Orders in which two beams may be interrupted (upper case) and free again, the outer one (O) and
# the inner one (I), and how many have come in then.
PASSES = {
    "OIoi": 1, "IOio": -1,
    # Turned back half-way, from either side; and a hand in one beam after the other.
    "OIio": 0, "IOoi": 0, "OoIi": 0, "IiOo": 0,
}
