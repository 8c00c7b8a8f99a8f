"""Links that come and go: stations, a serial port, the broker, and reloads, all at random."""

import time
from dataclasses import dataclass
from random import Random
from typing import Sequence

from campaign.growth import growths
from campaign.rig import Rig, freeze, thaw
from campaign.scenario import Outcome, Setting

STATIONS = 8

# Seconds. In the last ones what came back late has time to be read and delivered.
QUIET = 10

MINE = """\
seed: {seed}
stations:
  line: {{ rtu: {{ baud: 19200, link: {directory}/COM1 }}, timeout: 500ms }}
  station: {{ repeat: {stations}, port: 15000 }}
devices:
  unit:
    repeat: 4
    station: line
    unit: 1
    every: 1s
    delay: 5ms
    points:
      ch4: {{ input: 0, type: float32, unit: "%CH4", signal: {{ methane: {{ base: 0.3 }} }} }}
      wind:
        {{ input: 2, type: uint16, scale: 0.1, unit: m/s,
          signal: {{ wave: {{ mean: 4, amplitude: 2, period: 60s }} }} }}
  sensor:
    repeat: {stations}
    station: station
    unit: 1
    every: 1s
    points:
      ch4:
        repeat: 16
        input: 0
        type: float32
        unit: "%CH4"
        signal: {{ methane: {{ base: 0.3, noise: 0.05, burst: 0.8, burst-every: 20s }} }}
faults:
"""


@dataclass(frozen=True)
class Flap:
    """What happens at a second of the run."""

    second: int
    until: int
    """The second at which it is over; `second` for what takes no time."""
    target: str
    """`broker`, `agent`, `run`, or a station or device as the simulator's scenario names it."""
    kind: str

    def __str__(self) -> str:
        until = f" until {self.until} s" if self.until > self.second else ""
        return f"{self.second} s: {self.target} {self.kind}{until}"


class Flapping:
    name = "flap"
    description = "stations, a serial port, the broker come and go, with reloads; is there growth?"
    unit = "seconds"
    seconds_each = 1
    least = 30

    def plan(self, count: int, random: Random) -> Sequence[Flap]:
        flaps: list[Flap] = []
        # The simulator takes 1000 faults: in a long run they are further apart.
        apart = 4 + max(0, (count - 1800) // 100)
        targets = [(f"station: station-{n}", "refuse cut silent") for n in range(1, STATIONS)]
        targets += [("station: line", "refuse cut"), ("device: unit-2", "silent")]
        for target, kinds in targets:
            second = random.randrange(2, 12)
            while second + 8 < count - QUIET:
                until = second + random.randrange(1, 9)
                flaps.append(Flap(second, until, target, random.choice(kinds.split())))
                second = until + apart + random.randrange(21)
        second = random.randrange(5, 13)
        while second + 10 < count - QUIET:
            until = second + random.randrange(1, 10)
            kind = random.choice(["stopped", "stopped", "frozen"])
            flaps.append(Flap(second, until, "broker", kind))
            second = until + random.randrange(5, 30)
        second = random.randrange(3, 9)
        while second < count - 2:
            flaps.append(Flap(second, second, "agent", "reload"))
            second += random.randrange(2, 14)
        flaps.sort(key=lambda flap: (flap.second, flap.target))
        return [*flaps, Flap(count, count, "run", "ends")]

    def run(self, plan: Sequence[Flap], random: Random, setting: Setting) -> Outcome:
        faults = [flap for flap in plan if ":" in flap.target]
        mine = MINE.format(
            seed=random.randrange(1, 1 << 31), directory=setting.directory, stations=STATIONS
        )
        for fault in faults:
            times = f"from: {fault.second}s, to: {fault.until}s"
            mine += f"  - {{ {fault.target}, {times}, kind: {fault.kind} }}\n"
        with Rig(setting, mine, STATIONS + 1) as rig:
            rig.start_all()
            measures = self._play([f for f in plan if f not in faults], plan[-1].second, rig)
            # The last reload is to be done before the stop.
            time.sleep(setting.slack)
            account = rig.finish()
            reloads = sum(flap.kind == "reload" for flap in plan)
            # The log holds lines back; an event tells of each reload that was done.
            done = sum(
                event["type"] == "configuration" and "old" in event for event in rig.events()
            )
            verdicts = growths(measures)
            counted = {
                "faults of stations and devices": len(faults),
                "broker stopped": sum(flap.kind == "stopped" for flap in plan),
                "broker frozen": sum(flap.kind == "frozen" for flap in plan),
                "reloads": reloads,
                "reloads done": done,
                "lines of log": len(rig.agent.printed().splitlines()),
                "stop ms": round(1000 * rig.stop_seconds),
                **{growth.name: f"{growth.early} to {growth.late}" for growth in verdicts},
                "events": rig.event_counts(),
                **account.figures(),
            }
            problems = list(account.problems)
            if setting.judges_growth:
                problems += [str(growth) for growth in verdicts if growth.is_growth]
            if not verdicts:
                problems.append("too short to see growth")
            if done != reloads:
                problems.append(f"{reloads} reloads were asked for, {done} were done")
            if rig.agent_status != 0:
                problems.append(f"the agent stopped with {rig.agent_status}")
            return Outcome(counted, problems)

    def _play(self, flaps: list[Flap], seconds: int, rig: Rig) -> list:
        """Plays what is done to broker and agent; returns a measure a second."""
        one = rig.configuration.read_text()
        # Another valid file: one bus and the definitions change.
        other = one.replace("ch4-1: { input: 0,", "ch4-1: { location: 总回风, input: 0,")
        assert one != other
        files = [other, one]
        say, measures, did = rig.setting.say, [], []
        say(f"{'second':>7} {'anon/KiB':>9} {'files':>6} {'threads':>8}  since the last row")
        begin = time.monotonic()
        for second in range(1, seconds + 1):
            time.sleep(max(0.0, begin + second - time.monotonic()))
            for flap in flaps:
                if flap.until == second and flap.until > flap.second:
                    rig.start_broker() if flap.kind == "stopped" else thaw(rig.broker)
                    did.append("broker-back")
                if flap.second != second:
                    continue
                did.append(f"{flap.target}-{flap.kind}")
                match flap.kind:
                    case "stopped":
                        rig.stop_broker()
                    case "frozen":
                        freeze(rig.broker)
                    case "reload":
                        rig.reload(files[0])
                        files.reverse()
            now = rig.measure(second)
            measures.append(now)
            if second % 10 == 0:
                cells = f"{now.anonymous:>9} {now.descriptors:>6} {now.threads:>8}"
                say(f"{second:>7} {cells}  {' '.join(did)}")
                did = []
        return measures


scenario = Flapping()
