"""What is done to lines, chips and the agent that fail, and how it is judged."""

import signal
import time
from random import Random

from campaign.gpio_judge import judge_chatter, judge_silence
from campaign.gpio_rig import EVERY, LINES
from campaign.gpio_rounds import HEALED, LEAST_APART, Rounds

# Edges while the agent is stopped, by version of the library: more than the kernel keeps of a line, 16
# where it is asked in the old way, else what it is asked for, 1024 at most.
FLOODS = {1: 60, 2: 1100}
# Seconds.
IDLE = 10
CHATTER = 2.5
# The thread of all lines.
THREAD = "gpio"
# In no fault's words.
NOTHING = "\n"


class Faults(Rounds):
    """Rounds in which something fails, is overrun or has nothing to do."""

    def fails(self, line: str, reason: str, words: str, since: int) -> list[str]:
        """Waits until a line is bad for a reason; its event and the agent's health have to say
        these words."""
        rig = self.rig
        rig.wait_for(
            f"{line} is bad: {reason}",
            lambda r: any(s.bad.get("value") == reason for s in r.of(line, since)), HEALED,
        )
        rig.wait_for(
            f"an event says that {line} failed",
            lambda r: any(
                words in event.details.get("reason", "") for event in r.told(line, "failed", since)
            ),
            HEALED,
        )
        rig.wait_for(
            f"health says {words} of {line}",
            lambda _: words in rig.faults().get(f"line/{line}", NOTHING), HEALED,
        )
        return []

    def heals(self, line: str, since: int) -> float:
        """Waits until a line is good again; returns after how many seconds it was."""
        self.rig.wait_for(
            f"{line} is good again",
            lambda r: any("value" in s.values for s in r.of(line, since)), HEALED,
        )
        good = [s for s in self.rig.records.of(line, since) if "value" in s.values]
        self.rig.wait_for(
            f"health has nothing against {line}",
            lambda _: f"line/{line}" not in self.rig.faults(), HEALED,
        )
        return (good[0].time * 1000 - since) / 1e6

    def busy(self, random: Random) -> list[str]:
        """Another program has the line when the agent starts, and gives it back."""
        rig, consumer = self.rig, f"other-{random.randrange(100)}"
        rig.kill_agent()
        rig.agent.call("hold", "sim-b", 0, consumer)
        since = rig.now()
        rig.start_again(without=["apart"])
        problems = self.fails("apart", "line-busy", consumer, since)
        since = rig.agent.call("release", "sim-b", 0)["at"]
        self.most("s to heal, busy", self.heals("apart", since))
        return problems + self.pull_and_judge([("apart", n % 2 == 0, 40) for n in range(4)])

    def missing(self, random: Random) -> list[str]:
        """A chip goes and comes back; lines of another one are none the worse for it."""
        rig, epoch = self.rig, self.rig.lives[-1].epoch
        rig.pull(*(("apart-count", n % 2 == 0, LEAST_APART) for n in range(6)))
        rig.settle("apart-count")
        since = rig.agent.call("remove_chip", "sim-b")["at"]
        problems = self.pull_and_judge([("contact", n % 2 == 0, 50) for n in range(10)])
        for line in ("apart", "apart-count", "seal"):
            problems += self.fails(line, "line-missing", LINES[line].by_name or "sim-b", since)
        gone = [s for s in rig.records.of("apart", since) if s.bad]
        self.most("s until it shows, missing", (gone[0].time * 1000 - since) / 1e6)
        rig.pull(*self.train(random, 20))
        rig.make_chip("sim-b")
        since = rig.now()
        for line in ("apart", "apart-count", "seal"):
            self.most("s to heal, missing", self.heals(line, since))
        problems += self.pull_and_judge([("seal", n % 2 == 0, 40) for n in range(6)])
        rig.pull(*(("apart-count", n % 2 == 0, LEAST_APART) for n in range(6)))
        rig.settle("apart-count")
        if rig.records.samples[-1].epoch != epoch:
            problems.append("the agent was started anew")
        return problems

    def refused(self, random: Random) -> list[str]:
        """The agent may not open the chip, and then may."""
        rig = self.rig
        rig.kill_agent()
        since = rig.agent.call("own", "sim-b", 65534)["at"]
        rig.start_again(without=["apart", "apart-count", "seal"])
        problems = self.fails("apart", "refused", "gpio", since)
        since = rig.agent.call("own", "sim-b", 0)["at"]
        for line in ("apart", "apart-count", "seal"):
            self.most("s to heal, refused", self.heals(line, since))
        return problems

    def chatter(self, random: Random) -> list[str]:
        rig, since = self.rig, self.rig.now()
        high = rig.is_high("contact")
        pulls = rig.pull(
            *(("contact", high == bool(n % 2), 10) for n in range(2 * round(50 * CHATTER)))
        )
        # A whole second of rest ends it.
        end = pulls[-1].end
        rig.wait_for("it is calm", lambda r: bool(r.told("contact", "calm", end)), HEALED)
        rig.settle("contact")
        problems = judge_chatter(rig.records.of("contact", since))
        if not rig.records.told("contact", "chattering", since):
            problems.append("nobody says that the contact chattered")
        if not any(s.bad.get("value") == "chattering" for s in rig.records.of("contact", since)):
            problems.append("no sample says that the contact chatters")
        last = rig.records.of("contact")[-1].values.get("value")
        if last is not rig.is_active("contact"):
            problems.append(f"the contact is {last} in the end")
        self.add("edges of chatter", len(pulls))
        return problems

    def idle(self, random: Random) -> list[str]:
        rig = self.rig
        rig.settle(*LINES)
        first = rig.agent.call("switches")
        time.sleep(IDLE)
        second = rig.agent.call("switches")
        seconds = second["at"] - first["at"]
        switches = {
            name: count - first["switches"][name]
            for name, count in second["switches"].items() if name in first["switches"]
        }
        own = [n for name, n in switches.items() if name.split(" ", 1)[1] == THREAD]
        self.most("context switches a second, idle", max(own, default=0) / seconds)
        return judge_silence(switches, THREAD, seconds, EVERY)

    def queue(self, random: Random) -> list[str]:
        """More edges than the kernel keeps: all are counted, or the count says that some may be
        missing."""
        rig, since = self.rig, self.rig.now()
        life = rig.lives[-1]
        life.suspects.add("both")
        rig.settle("both")
        before = rig.records.of("both")[-1].count()
        rig.agent.call("signal", signal.SIGSTOP)
        # So close, some edges are one to the kernel: it is asked how many it saw.
        offset = LINES["both"].offset
        seen = rig.agent.call("interrupts", offset)["count"]
        high, edges = rig.is_high("both"), FLOODS[rig.library_version]
        rig.pull(*(("both", high == bool(n % 2), 10) for n in range(edges)))
        expected = rig.agent.call("interrupts", offset)["count"] - seen
        rig.agent.call("signal", signal.SIGCONT)
        time.sleep(1)
        rig.settle("both")
        gained = rig.records.of("both")[-1].count() - before
        events = rig.records.told("both", "count-suspect", since)
        self.add("edges while stopped", expected)
        self.add("of them counted", gained)
        lost = sum(int(event.details.get("lost", 0)) for event in events)
        self.add("of them said to be lost", lost)
        if gained + lost > expected:
            return [f"{gained} edges counted and {lost} lost of {expected}"]
        if gained < expected and not events:
            return [f"{gained} edges counted of {expected}, and nobody says so"]
        return []
