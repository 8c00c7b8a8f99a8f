import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Drivers

/// Drives an input up and down in turn, with the time between that the simulator needs to tell its
/// edges apart.
private func toggle(_ chip: SimulatedChip, _ line: Int, times: Int) throws {
  for _ in 0..<times {
    try chip.drive(line, high: !(try chip.isHigh(line)))
    reach(.now + .milliseconds(15))
  }
}

extension Outcome {
  fileprivate static let active = Outcome.good(.bool(true))
  fileprivate static let inactive = Outcome.good(.bool(false))
}

extension GPIOKernel {
  @Suite("GPIO inputs on a real kernel")
  struct Inputs {
    @Test("A contact is sampled at its period, and its changes come between")
    func levels() throws {
      let chip = try SimulatedChip(label: "levels")
      try chip.drive(2, high: true)
      let lines: [LineDefinition] = [
        .line("fan", "levels", 2, every: 100), .line("door", "levels", 3),
      ]
      try withInputs(lines) { inputs, sink in
        try waitUntil("samples at the period") { sink.outcomes(of: "fan").count >= 5 }
        #expect(sink.outcomes(of: "fan").allSatisfy { $0 == .active })
        try waitUntil("the first level") { sink.outcomes(of: "door").last == .inactive }
        try chip.drive(3, high: true)
        try waitUntil("a change") { sink.outcomes(of: "door").last == .active }
        try waitUntil("its statistics") { inputs.statistics["door"]?.isActive == true }
        #expect(inputs.statistics["door"]?.place == "\(chip.name) (levels) line 3")
        #expect(sink.faults(of: "door") == [nil])
      }
    }

    @Test("A low voltage is the active state of an active-low line")
    func activeLow() throws {
      let chip = try SimulatedChip(label: "low")
      try withInputs([.line("seal", "low", 1, isActiveLow: true)]) { _, sink in
        try waitUntil("the first level") { sink.outcomes(of: "seal").last == .active }
        try chip.drive(1, high: true)
        try waitUntil("a change") { sink.outcomes(of: "seal").last == .inactive }
        #expect(sink.transitions.map(\.isActive) == [true, false])
      }
    }

    @Test("The bias holds an input that nothing drives", arguments: LineBias.allCases)
    func bias(_ bias: LineBias) throws {
      let chip = try SimulatedChip(label: "bias")
      try chip.drive(0, high: bias == .pullDown || bias == .asIs)
      try withInputs([.line("input", "bias", 0, bias: bias)]) { _, sink in
        try waitUntil("the first level") { !sink.outcomes(of: "input").isEmpty }
        let isHigh = bias == .pullUp || bias == .asIs
        #expect(sink.outcomes(of: "input").first == (isHigh ? .active : .inactive))
        #expect(try chip.isHigh(0) == isHigh)
      }
    }

    @Test("An edge has the time of the kernel, not the time at which it was read")
    func times() throws {
      let chip = try SimulatedChip(label: "times")
      let clock = KernelClock()
      try withInputs([.line("a", "times", 0), .line("b", "times", 1)]) { _, sink in
        try waitUntil("the first levels") { sink.samples.count == 2 }
        try sink.hold { try chip.drive(0, high: true) }
        var times: [ClosedRange<Int64>] = []
        for line in [1, 0, 1, 0] {
          let start = clock.monotonic
          try toggle(chip, line, times: 1)
          times.append(start...clock.monotonic)
        }
        reach(.now + .milliseconds(200))
        sink.release()
        // Two levels at the start, and the edge that the thread was held by.
        try waitUntil("all edges") { sink.transitions.count == 7 }
        let seen = sink.transitions.dropFirst(3)
        #expect(seen.map(\.line) == ["b", "a", "b", "a"])
        for (time, transition) in zip(times, seen) {
          #expect(time.contains(transition.time.monotonic))
        }
      }
    }

    @Test("A contact that bounces counts once")
    func debounce() throws {
      let chip = try SimulatedChip(label: "bounce")
      let line = LineDefinition.line(
        "turns", "bounce", 0, every: 200, purpose: .count(.rising, meter: nil), debounce: 300)
      let isByKernel = GPIOLibrary.majorVersion == 2
      #expect(try OpenLine(line).isDebouncedByKernel == isByKernel)
      // The kernel's debounce ends with a tick of its timer, and after other work.
      let (clock, late) = (KernelClock(), Int64(isByKernel ? 100 : 0))
      try withInputs([line]) { _, sink in
        try waitUntil("the first total") { sink.count(of: "turns") == 0 }
        for turn in 1...3 {
          try toggle(chip, 0, times: 4)
          let start = clock.monotonic
          try toggle(chip, 0, times: 1)
          let end = clock.monotonic
          try waitUntil("turn \(turn)") { sink.transitions.last?.isActive == true }
          // Dated by when the last of the five edges had held.
          let held = try #require(sink.transitions.last)
          #expect((start...end + late).contains(held.time.monotonic - line.debounceMilliseconds))
          try toggle(chip, 0, times: 5)
          try waitUntil("back") { sink.transitions.last?.isActive == false }
        }
        try waitUntil("the total") { sink.count(of: "turns") == 3 }
        #expect(sink.transitions.count == 7)
      }
    }

    @Test("Each edge counts, and the total goes on from what was known")
    func counts() throws {
      let chip = try SimulatedChip(label: "counts")
      func line(_ name: String, _ offset: UInt32, _ edges: CountedEdges) -> LineDefinition {
        .line(name, "counts", offset, every: 500, purpose: .count(edges, meter: nil))
      }
      let lines = [line("up", 0, .rising), line("down", 1, .falling), line("all", 2, .both)]
      try withInputs(lines, totals: ["up": 1000], totalReason: "stop") { inputs, sink in
        try waitUntil("the lines are open") { lines.allSatisfy { sink.count(of: $0.name) != nil } }
        for round in 1...21 {
          for offset in 0..<3 { try chip.drive(offset, high: round % 2 == 1) }
          try waitUntil("round \(round)") {
            lines.allSatisfy { inputs.statistics[$0.name]?.edges == UInt64(round) }
          }
        }
        try waitUntil("the totals") {
          sink.count(of: "up") == 1011 && sink.count(of: "down") == 10
            && sink.count(of: "all") == 21
        }
        #expect(inputs.statistics["all"]?.suspects == 0)
        #expect(sink.details(of: "up").first?.state == .countResumed)
        #expect(sink.details(of: "down").first?.state == .countBegan)
      }
    }

    @Test("A full queue of the kernel is told, and the count goes on")
    func fullQueue() throws {
      let chip = try SimulatedChip(label: "queue")
      let line = LineDefinition.line(
        "pulses", "queue", 0, every: 200, purpose: .count(.both, meter: nil))
      try withInputs([line], queueSize: 16) { inputs, sink in
        try waitUntil("the first total") { sink.count(of: "pulses") == 0 }
        try sink.hold {}
        try toggle(chip, 0, times: 21)
        sink.release()
        try waitUntil("an event") { sink.details(of: "pulses").last?.state == .countSuspect }
        let detail = try #require(sink.details(of: "pulses").last)
        let isNumbered = GPIOLibrary.majorVersion == 2
        #expect(detail.reason == (isNumbered ? "sequence-gap" : "queue-full"))
        #expect(detail.lost == (isNumbered ? 5 : nil))
        // What can be known. Of numbered ones the newest are kept, the first of which is to the
        // level that the line had; of the others the oldest, and then the level tells one more.
        let known: UInt64 = isNumbered ? 15 : 17
        try waitUntil("the total") { inputs.statistics["pulses"]?.total == known }
        try toggle(chip, 0, times: 1)
        try waitUntil("the total goes on") { sink.count(of: "pulses") == known + 1 }
        #expect(inputs.statistics["pulses"]?.isActive == false)
      }
    }

    @Test("A line that somebody else holds is busy, and had when it is free")
    func busy() throws {
      let chip = try SimulatedChip(label: "busy", hogs: [4: "fan-control"])
      let line = LineDefinition.line("own", "busy", 5, every: 200)
      var holder: OpenLine? = try OpenLine(line)
      let lines = [line, .line("fan", "busy", 4, every: 200)]
      try withInputs(lines) { inputs, sink in
        try waitUntil("both are busy") {
          lines.allSatisfy { sink.outcomes(of: $0.name).last == .bad(.lineBusy) }
        }
        #expect(
          inputs.statistics["fan"]?.fault
            == "line-busy: \(chip.name) (busy) line 4 is held by fan-control")
        #expect(inputs.statistics["fan"]?.consumer == "fan-control")
        #expect(inputs.statistics["own"]?.consumer == GPIOLine.consumer)
        #expect(holder != nil)
        holder = nil
        try waitUntil("the line is had") { sink.outcomes(of: "own").last == .inactive }
        #expect(sink.faults(of: "own") == [.lineBusy, nil])
        #expect(inputs.statistics["own"]?.consumer == nil)
        #expect(sink.outcomes(of: "fan").last == .bad(.lineBusy))
      }
    }

    @Test("Lines of a chip that goes away are missing until it is back", arguments: [200, 60_000])
    func removedChip(every: Int64) throws {
      let chip = try SimulatedChip(label: "removed")
      let lines: [LineDefinition] = [
        .line("door", "removed", 0, every: every),
        .line("turns", "removed", 1, every: every, purpose: .count(.rising, meter: nil)),
      ]
      try withInputs(lines, totals: ["turns": 7]) { inputs, sink in
        try waitUntil("the lines are had") {
          lines.allSatisfy { sink.faults(of: $0.name) == [nil] }
        }
        try chip.drive(1, high: true)
        try waitUntil("an edge") { inputs.statistics["turns"]?.total == 8 }
        chip.unplug()
        // Beside the period there is the look each 5 s.
        try waitUntil("they are missing", within: 8) {
          lines.allSatisfy { sink.faults(of: $0.name) == [nil, .lineMissing] }
        }
        try chip.plugIn()
        try waitUntil("they are back") {
          lines.allSatisfy { sink.faults(of: $0.name) == [nil, .lineMissing, nil] }
        }
        try chip.drive(1, high: true)
        try waitUntil("the total goes on") { inputs.statistics["turns"]?.total == 9 }
        #expect(sink.details(of: "door").map(\.state) == [.failed, .recovered])
      }
    }

    @Test("Cycles that pass while the thread is held up are told as a gap")
    func missedCycles() throws {
      let chip = try SimulatedChip(label: "missed")
      try withInputs([.line("fan", "missed", 0, every: 100)]) { _, sink in
        try waitUntil("samples at the period") { sink.outcomes(of: "fan").count >= 3 }
        #expect(sink.events.isEmpty)
        try sink.hold {}
        let held = try #require(sink.samples.last)
        reach(.now + .milliseconds(850))
        sink.release()
        try waitUntil("a gap") { !sink.events.isEmpty }
        guard case .gap(let gap) = sink.events.first?.detail,
          case .time(let first, let last) = gap.span
        else { throw WaitedInVain("a gap over a time") }
        #expect(gap.reason == .notRead)
        #expect(sink.events.first?.source == "fan")
        let count = try #require(gap.count)
        #expect(count >= 6)
        #expect(Int(last - first) == (count - 1) * 100)
        #expect((0...100).contains(first - held.time.wall))
        #expect(chip.label == "missed")
      }
    }

    @Test("Idle lines wake the thread at their period only", arguments: [500, 60_000])
    func idle(every: Int64) throws {
      let chip = try SimulatedChip(label: "idle")
      let lines = (0..<8).map { LineDefinition.line("line-\($0)", "idle", $0, every: every) }
      try withInputs(lines) { _, sink in
        try waitUntil("the lines are had") { sink.samples.count >= lines.count }
        let thread = try #require(TaskStatus.thread(named: "gpio"))
        let (before, start) = (try thread.voluntarySwitches(), ContinuousClock.now)
        reach(start + .seconds(6))
        let switches = try thread.voluntarySwitches() - before
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        // One for each period or health look, and one at either end.
        let most = Int(seconds * 1000 / Double(min(every, 5_000))) + 2
        #expect(switches <= most)
        #expect(chip.label == "idle")
      }
    }
  }
}
