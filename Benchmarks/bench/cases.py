"""What is measured of one contestant: each case starts a rig of its own."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from .contestants.contestant import Contestant
from .measure import Window
from .processes import Failure
from .rig import Rig
from .truth import Result

#: How long a value may wait for its sync (`commit: 1s`), and how long that sync and the reading
#: itself may take: what a kill may cost. What is served after it, until the next start, was asked
#: for by the killed one.
_COMMIT_WINDOW_NS = 1_250_000_000
#: What was served in a window has so long to arrive, also where a sync takes seconds.
_SETTLE_SECONDS = 15
#: From a kill to the next start, so that the slave has answered all that the killed one asked.
_RESTART_SECONDS = 0.5
#: A backlog that still makes progress has so long at most.
_LONGEST_DRAIN_SECONDS = 900
#: At the highest rate the last values must be there so soon after the window. More than the 2 s
#: that collectd takes at any rate (it looks for acknowledgements only when it publishes).
_RATE_DELIVERY_SECONDS = 3
_RATE_POINTS_A_DEVICE = 60
_MOST_STATIONS = 16
_MOST_UNITS = 247
#: Devices, or devices times hertz, where the search ends: 491,520 points a second, two thousand
#: times a large mine's. Above it the account takes longer than the window.
_MOST_DEVICES = 8192
#: The search ends when the highest good and the lowest bad rate are this close.
_RATE_RESOLUTION = 0.07
GROWTH = (16, 64, 256, 1024, 4096, 16_384, 65_536)
_GROWTH_POINTS_A_DEVICE = 64


@dataclass
class Options:
    """Durations in seconds."""

    steady: float = 60
    outage: float = 60
    around: float = 3
    """Before the outage, and after the backlog has come."""
    patience: float = 60
    """A backlog that makes no progress for so long makes none any more."""
    rate: float = 15
    growth: float = 30
    growth_interval: float = 10
    growth_sizes: tuple[int, ...] = GROWTH
    longest_warm_up: float = 60
    keep: bool = False


QUICK = Options(
    steady=10,
    outage=10,
    around=1,
    patience=20,
    rate=5,
    growth=6,
    growth_interval=2,
    growth_sizes=(16, 1024),
    longest_warm_up=2,
)


@dataclass
class Outcome:
    """The figures of one case, or of one step of it; `label` names it in the tables."""

    label: str
    figures: dict[str, float | None] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


def _account(figures: dict[str, float | None], result: Result) -> None:
    if not result.served:
        raise Failure("the slave has served no value in the window")
    figures["served"] = result.served
    figures["lost"] = result.lost
    figures["repeated"] = result.repeated
    figures["out_of_order"] = result.out_of_order
    figures["unknown"] = result.unknown


def _latency(figures: dict[str, float | None], result: Result) -> None:
    figures["latency_p50_ms"] = result.latency_ms(0.5)
    figures["latency_p99_ms"] = result.latency_ms(0.99)
    figures["latency_max_ms"] = result.latency_ms(1)


def _settle(rig: Rig, since: int, until: int) -> None:
    """Gives what was served in a window time to arrive.

    What was served last may not be in the slave's file yet; a later record says that it is.
    """
    deadline = time.monotonic() + _SETTLE_SECONDS
    while time.monotonic() < deadline:
        rig.follow()
        if rig.truth.newest_ns > until and not rig.account.result(since, until).lost:
            return
        time.sleep(0.2)


def steady(kind: type[Contestant], options: Options) -> Iterator[Outcome]:
    """16 stations of 16 points at 1 Hz, once all is warm."""
    with Rig(kind, keep=options.keep) as rig:
        rig.warm_up(options.longest_warm_up)
        with Window(rig) as window:
            time.sleep(options.steady)
        _settle(rig, window.since, window.until)
        rig.finish()
        result = rig.account.result(window.since, window.until)
        outcome = Outcome("steady", window.figures)
        figures = outcome.figures
        _account(figures, result)
        _latency(figures, result)
        figures["missed_cycles"] = rig.truth.missed_cycles(window.since, window.until)
        values = result.delivered + result.repeated
        figures["wire_bytes_value"] = (
            None if window.bytes_sent is None or not values else window.bytes_sent / values
        )
        if rig.storage.reason:
            outcome.notes["device"] = rig.storage.reason
        yield outcome


def start(kind: type[Contestant], options: Options) -> Iterator[Outcome]:
    """From exec to the arrival of the first message that carries a value."""
    with Rig(kind, keep=options.keep) as rig:
        rig.launch()
        rig.wait_for_value(90)
        assert rig.first_value_ns is not None
        seconds = (rig.first_value_ns - rig.program.started_ns) / 1e9
        yield Outcome("start", {"first_value_s": seconds})


def outage(kind: type[Contestant], options: Options) -> Iterator[Outcome]:
    """The broker is away; then the same with a kill -9 of the contestant in the middle."""
    for with_kill in (False, True):
        with Rig(kind, keep=options.keep) as rig:
            yield _outage(rig, options, with_kill)


def _outage(rig: Rig, options: Options, with_kill: bool) -> Outcome:
    rig.warm_up(options.longest_warm_up)
    since = time.monotonic_ns()
    time.sleep(options.around)
    if not rig.broker.stop():
        raise Failure("the broker did not end")
    away = time.monotonic_ns()
    time.sleep(options.outage / 2)
    killed = restarted = None
    if with_kill:
        rig.program.require_running()
        killed = time.monotonic_ns()
        rig.program.kill()
        time.sleep(_RESTART_SECONDS)
        restarted = time.monotonic_ns()
        rig.launch()
    time.sleep(options.outage / 2)
    back = rig.start_broker()
    _drain(rig, since, back, options.patience)
    time.sleep(options.around)
    until = time.monotonic_ns()
    _settle(rig, since, until)
    rig.program.require_running()
    rig.finish()

    result = rig.account.result(since, until)
    outcome = Outcome("outage+kill" if with_kill else "outage")
    figures = outcome.figures
    _account(figures, result)
    figures["lost_outside"] = result.lost if killed is None else result.lost_outside(
        killed - _COMMIT_WINDOW_NS, restarted
    )
    # Who reads nothing meanwhile loses nothing that was served.
    figures["missed_cycles"] = rig.truth.missed_cycles(since, until)
    first, everywhere = rig.account.fresh_after(back)
    drained = rig.account.last_arrival_served_before(back, away)
    for name, moment in (
        ("first_message_s", rig.account.first_arrival_after(back)),
        ("first_fresh_s", first),
        ("all_fresh_s", everywhere),
        ("drain_s", None if drained is None or drained < back else drained),
    ):
        figures[name] = None if moment is None else (moment - back) / 1e9
    return outcome


def _drain(rig: Rig, since: int, back: int, patience: float) -> None:
    """Until all that was served before the return has come, or nothing more of it comes."""
    begun = progressed = time.monotonic()
    least = None
    while time.monotonic() - begun < _LONGEST_DRAIN_SECONDS:
        rig.follow()
        missing = rig.account.result(since, back).lost
        fresh, _ = rig.account.fresh_after(back)
        state = (missing, fresh is None)
        if state == (0, False):
            return
        if least is None or state < least:
            least, progressed = state, time.monotonic()
        # What never was kept does not come: once fresh values flow, half of the time will do.
        if time.monotonic() - progressed > patience / (1 if fresh is None else 2):
            return
        time.sleep(0.5)


def layout(devices: int) -> tuple[int, int]:
    """Stations and units, as close to so many devices as 16 stations allow."""
    if devices <= _MOST_STATIONS:
        return devices, 1
    choices = [
        (stations, round(devices / stations))
        for stations in range(_MOST_STATIONS, _MOST_STATIONS // 2, -1)
    ]
    return min(choices, key=lambda choice: abs(choice[0] * choice[1] - devices))


def rate(kind: type[Contestant], options: Options) -> Iterator[Outcome]:
    """The most points a second without a missed cycle, a loss or a backlog that grows.

    They are read at 1 Hz, and more often only beyond the points that there can be.

    A rate that fails is tried once more: other programs of the machine may have disturbed it.
    """
    probes: dict[int, tuple[bool, Outcome]] = {}

    def is_good(devices: int) -> bool:
        stations, units = layout(devices)
        count = stations * units
        if count not in probes:
            probes[count] = _probe(kind, stations, units, options)
            if not probes[count][0]:
                probes[count] = _probe(kind, stations, units, options)
        return probes[count][0]

    good, bad = _bracket(is_good)
    while bad and bad - good > max(1, _RATE_RESOLUTION * good):
        middle = (good + bad) // 2
        if is_good(middle):
            good = middle
        else:
            bad = middle
    passed = [(count, outcome) for count, (is_ok, outcome) in probes.items() if is_ok]
    failed = [(count, outcome) for count, (is_ok, outcome) in probes.items() if not is_ok]
    result = Outcome("rate", {"points_s": 0})
    if passed:
        result = max(passed, key=lambda pair: pair[0])[1]
    if failed:
        result.notes["limit"] = min(failed, key=lambda pair: pair[0])[1].notes["failed"]
    else:
        result.notes["limit"] = "of the mine: no higher rate was tried"
    yield result


def _bracket(is_good: Callable[[int], bool]) -> tuple[int, int | None]:
    """A good number of devices and a bad one, at most four times it; no bad one if the mine ends."""
    most = _MOST_DEVICES
    devices = _MOST_STATIONS
    if is_good(devices):
        while devices < most:
            following = min(4 * devices, most)
            if not is_good(following):
                return devices, following
            devices = following
        return devices, None
    while devices > 1:
        if is_good(devices // 2):
            return devices // 2, devices
        devices //= 2
    return 0, 1


def _probe(
    kind: type[Contestant], stations: int, units: int, options: Options
) -> tuple[bool, Outcome]:
    points = stations * units * _RATE_POINTS_A_DEVICE
    outcome = Outcome("rate")
    figures = outcome.figures
    reason = ""
    most_points = stations * _MOST_UNITS * _RATE_POINTS_A_DEVICE
    if kind.most_points:
        most_points = min(most_points, kind.most_points)
    hertz = -(-points // most_points)
    if hertz > 1:
        units //= hertz
        outcome.notes["interval"] = f"{stations * units * _RATE_POINTS_A_DEVICE} at {hertz} Hz"
    points = stations * units * _RATE_POINTS_A_DEVICE * hertz
    try:
        with Rig(
            kind, stations, units, _RATE_POINTS_A_DEVICE, 1 / hertz, keep=options.keep
        ) as rig:
            rig.warm_up(options.longest_warm_up)
            with Window(rig) as window:
                time.sleep(options.rate)
            time.sleep(_RATE_DELIVERY_SECONDS + 0.2)
            rig.finish()
            by = window.until + int(_RATE_DELIVERY_SECONDS * 1e9)
            result = rig.account.result(window.since, window.until, by)
            figures.update(window.figures)
            _account(figures, result)
            _latency(figures, result)
            missed = rig.truth.missed_cycles(window.since, window.until)
            if missed:
                reason = f"{missed} of {round(points * options.rate)} readings missed"
            elif result.lost:
                reason = f"{result.lost} values not there {_RATE_DELIVERY_SECONDS} s later"
            busy = {
                name.removeprefix("busy_"): share
                for name, share in window.figures.items()
                if name.startswith("busy_") and share is not None
            }
            busy["contestant"] = (window.figures["cpu_s_min"] or 0) / 60
            outcome.notes["busy"] = ", ".join(
                f"{name} {100 * share:.0f} %" for name, share in sorted(busy.items())
            )
            if reason:
                reason += f" ({outcome.notes['busy']})"
    except Failure as failure:
        reason = str(failure)
    figures["points_s"] = points
    if reason:
        outcome.notes["failed"] = f"at {points} points/s: {reason}"
    print(f"    {points} points/s: {reason or 'good'}", flush=True)
    return not reason, outcome


def growth(kind: type[Contestant], options: Options) -> Iterator[Outcome]:
    """What more points cost, each read every 10 s over 16 connections."""
    before = None
    for points in options.growth_sizes:
        outcome = _grown(kind, points, options)
        cpu = outcome.figures.get("cpu_s_min")
        if cpu:
            if before is not None:
                outcome.figures["cpu_point_ratio"] = cpu / points / before
            before = cpu / points
        yield outcome
        if "failed" in outcome.notes:
            return


def _grown(kind: type[Contestant], points: int, options: Options) -> Outcome:
    stations = _MOST_STATIONS
    units = -(-points // (stations * _GROWTH_POINTS_A_DEVICE))
    outcome = Outcome(f"growth {points}")
    try:
        with Rig(
            kind,
            stations,
            units,
            points // (stations * units),
            options.growth_interval,
            keep=options.keep,
        ) as rig:
            rig.warm_up(options.longest_warm_up, 120)
            time.sleep(options.growth_interval)
            with Window(rig) as window:
                time.sleep(options.growth)
            _settle(rig, window.since, window.until)
            rig.finish()
            outcome.figures.update(window.figures)
            _account(outcome.figures, rig.account.result(window.since, window.until))
            outcome.figures["missed_cycles"] = rig.truth.missed_cycles(
                window.since, window.until
            )
    except Failure as failure:
        outcome.notes["failed"] = str(failure)
    return outcome


CASES: dict[str, Callable[[type[Contestant], Options], Iterator[Outcome]]] = {
    "steady": steady,
    "start": start,
    "outage": outage,
    "rate": rate,
    "growth": growth,
}
