import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Drivers

extension GPIOKernel {
  @Suite("GPIO inputs reloaded and ended on a real kernel")
  struct Reload {
    @Test("A reload leaves lines that stay the same alone, and keeps totals")
    func reload() throws {
      let chip = try SimulatedChip(label: "reload")
      let purpose = LinePurpose.count(.rising, meter: nil)
      let same = LineDefinition.line("same", "reload", 0, purpose: purpose)
      let old = LineDefinition.line("changed", "reload", 1, purpose: purpose)
      let gone = LineDefinition.line("gone", "reload", 2)
      try withInputs([same, old, gone]) { inputs, sink in
        try waitUntil("the lines are had") { sink.faults(of: "gone") == [nil] }
        for offset in 0...1 { try chip.drive(offset, high: true) }
        try waitUntil("an edge of each") {
          ["same", "changed"].allSatisfy { inputs.statistics[$0]?.total == 1 }
        }
        var new = old
        new.everyMilliseconds = 30_000
        inputs.use([new, same])
        try waitUntil("the line is given back") { inputs.statistics["gone"] == nil }
        #expect(throws: Never.self) { try OpenLine(gone) }
        try waitUntil("the line is had anew") { sink.details(of: "changed").count == 2 }
        for isHigh in [false, true] {
          for offset in 0...1 { try chip.drive(offset, high: isHigh) }
          reach(.now + .milliseconds(20))
        }
        try waitUntil("the totals go on") {
          ["same", "changed"].allSatisfy { inputs.statistics[$0]?.total == 2 }
        }
        #expect(sink.details(of: "same").map(\.state) == [.countBegan])
        #expect(sink.details(of: "changed").map(\.state) == [.countBegan, .countResumed])
        #expect(sink.details(of: "changed").last?.count == 1)
      }
    }

    @Test("The end takes the last edges, gives a last total and all lines back")
    func end() throws {
      let chip = try SimulatedChip(label: "end")
      let line = LineDefinition.line("turns", "end", 0, purpose: .count(.rising, meter: nil))
      try withInputs([line]) { inputs, sink in
        try waitUntil("the line is had") { sink.faults(of: "turns") == [nil] }
        try chip.drive(0, high: true)
        reach(.now + .milliseconds(15))
        inputs.cancel()
        #expect(inputs.waitForEnd(atMost: 10))
        #expect(sink.count(of: "turns") == 1)
        #expect(throws: Never.self) { try OpenLine(line) }
      }
    }
  }
}
