import Glibc
import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Drivers

extension GPIOKernel {
  @Suite("Turns of the GPIO inputs on a real kernel")
  struct Turns {
    private let sink = RecordingLineSink()
    private let clock = KernelClock()

    private func inputs(
      _ epoll: Epoll, taking take: @escaping OpenLine.Taking = GPIOLine.init
    ) -> InputSet {
      InputSet(
        epoll, totals: [:], totalReason: nil, sink: sink, clock: clock,
        queueSize: GPIOLine.queueSize, taking: take)
    }

    @Test("An edge that comes between the wait and the reading keeps its place among the others")
    func order() throws {
      let chip = try SimulatedChip(label: "order")
      let epoll = try Epoll()
      let inputs = inputs(epoll)
      inputs.use([.line("outer", "order", 0), .line("inner", "order", 1)])
      inputs.turn([])
      #expect(sink.transitions.map(\.line) == ["outer", "inner"])
      try chip.drive(0, high: true)
      reach(.now + .milliseconds(20))
      try chip.drive(1, high: true)
      var ready: [Epoll.Ready] = []
      try waitUntil("both edges") {
        ready = epoll.wait(forMilliseconds: 0)
        return ready.count == 2
      }
      // As if the wait had ended before the first of them.
      inputs.turn(ready.filter { $0.key == 2 })
      #expect(sink.transitions.dropFirst(2).map(\.line) == ["outer", "inner"])
      inputs.end()
    }

    @Test("A few lines a turn are looked for, each of them in its time")
    func requests() throws {
      let chip = try SimulatedChip(label: "many")
      let inputs = inputs(try Epoll())
      let lines = (0..<8).map { LineDefinition.line("missing-\($0)", "nowhere", $0) }
      inputs.use(lines + [.line("fan", chip.label, 0)])
      inputs.turn([])
      #expect(sink.events.count == 4)
      inputs.turn([])
      #expect(sink.events.count == 8)
      inputs.turn([])
      #expect(sink.faults(of: "fan") == [nil])
      inputs.end()
    }

    @Test("A contact without interrupt is sampled and says so; one of a gate is missing")
    func noInterrupt() throws {
      let chip = try SimulatedChip(label: "plain")
      let inputs = inputs(try Epoll()) { request throws(SystemError) in
        if request.hasEdges { throw SystemError(call: "request", subject: "line", code: ENXIO) }
        return try GPIOLine(request)
      }
      var gate = LineDefinition.line("gate", chip.label, 1)
      gate.needsEdges = true
      inputs.use([.line("door", chip.label, 0), gate])
      inputs.turn([])
      #expect(sink.outcomes(of: "door") == [.good(.bool(false))])
      #expect(sink.faults(of: "door") == [nil])
      #expect(sink.details(of: "door").map(\.state) == [.failed])
      #expect(sink.details(of: "door").first?.reason == OpenLine.noInterruptWords)
      let statistics = inputs.takeStatistics().first { $0.name == "door" }?.statistics
      #expect(statistics?.fault == OpenLine.noInterruptWords)
      #expect(sink.outcomes(of: "gate") == [.bad(.lineMissing)])
      #expect(sink.details(of: "gate").first?.reason?.contains("use another input") == true)
      inputs.end()
    }

    @Test("A line whose edges were refused for a moment is asked for them again")
    func momentaryRefusal() throws {
      let chip = try SimulatedChip(label: "moment")
      let clock = ManualClock()
      let isRefused = Monitor(true)
      let inputs = InputSet(
        try Epoll(), totals: [:], totalReason: nil, sink: sink, clock: clock,
        queueSize: GPIOLine.queueSize
      ) { request throws(SystemError) in
        if request.hasEdges, isRefused.withLock({ $0 }) {
          throw SystemError(call: "request", subject: "line", code: EIO)
        }
        return try GPIOLine(request)
      }
      let line = LineDefinition.line("door", chip.label, 0, every: 600_000)
      inputs.use([line])
      inputs.turn([])
      #expect(sink.details(of: "door").map(\.state) == [.failed])
      // In vain: it goes on, and nothing is told twice.
      clock.advance(by: InputChannel.edgesMilliseconds)
      inputs.turn([])
      #expect(sink.details(of: "door").map(\.state) == [.failed])
      #expect(sink.faults(of: "door") == [nil])
      isRefused.withLock { $0 = false }
      clock.advance(by: InputChannel.edgesMilliseconds - 1)
      inputs.turn([])
      #expect(sink.details(of: "door").count == 1)
      clock.advance(by: 1)
      inputs.turn([])
      #expect(sink.details(of: "door").map(\.state) == [.failed, .recovered])
      #expect(inputs.takeStatistics().first?.statistics.fault == nil)
      inputs.end()
    }

    @Test("A line that comes and goes is tried ever more seldom until it was well for a minute")
    func flapping() throws {
      let chip = try SimulatedChip(label: "flapping")
      let clock = ManualClock()
      let line = LineDefinition.line("door", chip.label, 0)
      let input = LineInput(line, at: clock.now())
      var channel = InputChannel(line, key: 1, input: input, at: clock.monotonic)
      func pause(afterWell milliseconds: Int64) throws -> Int64 {
        channel.succeed(try OpenLine(line), at: clock.monotonic)
        clock.advance(by: milliseconds)
        channel.fail(LineFault(.lineMissing, "no chip"), at: clock.now())
        let pause = channel.look - clock.monotonic
        clock.advance(by: pause)
        return pause
      }
      #expect(try (0..<5).map { _ in try pause(afterWell: 10) } == [1000, 2000, 4000, 5000, 5000])
      #expect(try pause(afterWell: InputChannel.steadyMilliseconds - 1) == 5000)
      #expect(try pause(afterWell: InputChannel.steadyMilliseconds) == 1000)
    }
  }
}
