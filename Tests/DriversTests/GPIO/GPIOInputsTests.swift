import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Drivers

@Suite("GPIO inputs where no chip is", .ownThread)
struct GPIOInputsTests {
  private let count = LinePurpose.count(.rising, meter: nil)

  @Test("A missing line is bad at its period, and its total stays known")
  func missing() throws {
    let lines: [LineDefinition] = [
      .line("door", "no-such-chip", 0, every: 20),
      .line("turns", "no-such-chip", 1, every: 20, purpose: count),
    ]
    try withInputs(lines, totals: ["turns": 42], totalReason: "stop") { inputs, sink in
      try waitUntil("samples of both") {
        lines.allSatisfy { sink.outcomes(of: $0.name).count >= 3 }
      }
      for line in lines {
        #expect(sink.outcomes(of: line.name).allSatisfy { $0.isBad })
        #expect(sink.faults(of: line.name).count == 1)
        #expect(inputs.statistics[line.name]?.fault?.isEmpty == false)
      }
      #expect(sink.count(of: "turns") == 42)
    }
  }

  @Test("Lines come and go by reloads, also many at once")
  func reloads() throws {
    let door = LineDefinition.line("door", "no-such-chip", 0, every: 20)
    let turns = LineDefinition.line("turns", "no-such-chip", 1, every: 20, purpose: count)
    try withInputs([]) { inputs, sink in
      #expect(inputs.statistics.isEmpty)
      inputs.use([door])
      try waitUntil("the first line") { inputs.statistics["door"]?.fault != nil }
      for _ in 0..<100 { inputs.use([door]) }
      inputs.use([turns], totals: ["turns": 9])
      try waitUntil("the other line") { inputs.statistics.keys.sorted() == ["turns"] }
      try waitUntil("its total") { sink.count(of: "turns") == 9 }
      #expect(sink.faults(of: "door").count == 1)
    }
  }

  @Test("The thread ends when nobody has the inputs any more")
  func release() throws {
    weak var sink: RecordingLineSink?
    do {
      let recording = RecordingLineSink()
      sink = recording
      let inputs = try GPIOInputs(
        [.line("door", "no-such-chip", 0)], totals: [:], totalReason: nil, sink: recording,
        clock: KernelClock(), heartbeat: Heartbeat(name: "gpio"))
      try waitUntil("the thread runs") { inputs.statistics["door"] != nil }
    }
    try waitUntil("the thread has let the sink go") { sink == nil }
  }
}

extension Outcome {
  fileprivate var isBad: Bool { if case .bad = self { true } else { false } }
}
