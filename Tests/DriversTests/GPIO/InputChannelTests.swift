import Glibc
import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Drivers

@Suite("A GPIO line as its thread has it")
struct InputChannelTests {
  private let clock = ManualClock()

  private func channel(every: Int64) -> InputChannel {
    let line = LineDefinition.line("fan", "chip", 0, every: every)
    let input = LineInput(line, total: nil, totalReason: nil, at: clock.now())
    return InputChannel(line, key: 1, input: input, at: clock.monotonic)
  }

  @Test("Lines of one period are due at the same times, whenever they began")
  func phase() {
    let first = channel(every: 1000)
    clock.advance(by: 300)
    var second = channel(every: 1000)
    #expect(first.due == 61_000)
    #expect(second.due == 61_000)
    #expect(second.takeDue(at: 60_999) == nil)
    #expect(second.takeDue(at: 61_002) == 61_000)
    #expect(second.due == 62_000)
    #expect(second.takeMissed(at: 61_002) == nil)
  }

  @Test("Cycles that passed are told at most once a second, and all of them")
  func missed() {
    var channel = channel(every: 100)
    #expect(channel.takeDue(at: 60_350) == 60_300)
    #expect(
      channel.takeMissed(at: 60_350) == MissedCycles(first: 60_100, every: 100, count: 2))
    #expect(channel.takeDue(at: 60_600) == 60_600)
    #expect(channel.takeDue(at: 60_800) == 60_800)
    #expect(channel.takeMissed(at: 61_349) == nil)
    // From the first of them on; those between that were not missed are not counted.
    #expect(
      channel.takeMissed(at: 61_350) == MissedCycles(first: 60_400, every: 100, count: 3))
    #expect(channel.takeDue(at: 61_350) == 61_300)
    #expect(channel.takeMissed(at: 61_360) == nil)
    #expect(channel.takeMissed(at: 61_360, isEnd: true)?.count == 4)
  }

  @Test("A line that can't be had is tried after 1, 2, 4 and then each 5 s")
  func retries() {
    var channel = channel(every: 1000)
    #expect(channel.look == clock.monotonic)
    var pauses: [Int64] = []
    for _ in 0..<6 {
      channel.fail(LineFault(.lineMissing, "no chip"), at: clock.now())
      pauses.append(channel.look - clock.monotonic)
      clock.advance(by: pauses.last ?? 0)
    }
    #expect(pauses == [1000, 2000, 4000, 5000, 5000, 5000])
    // Told once.
    let events = channel.input.takeOutputs().filter {
      if case .event = $0 { true } else { false }
    }
    #expect(events.count == 1)
    #expect(channel.statistics.fault == "line-missing: no chip")
  }

  @Test("A line that is well is looked at each 5 s if its period is longer")
  func looks() {
    var often = channel(every: 5_000)
    often.looked(at: clock.monotonic)
    #expect(often.look == .max)
    var seldom = channel(every: 5_001)
    seldom.looked(at: clock.monotonic)
    #expect(seldom.look == 65_000)
  }

  @Test("What the system says becomes the reason of the line's samples")
  func faults() {
    func fault(_ code: Int32) -> LineFault {
      LineFault(SystemError(call: "open", subject: "/dev/gpiochip0", code: code))
    }
    for code in [EACCES, EPERM] {
      #expect(fault(code).reason == .refused)
      #expect(fault(code).text.contains("group gpio"))
      #expect(fault(code).text.contains(#"SUBSYSTEM=="gpio""#))
    }
    #expect(fault(EBUSY).reason == .lineBusy)
    #expect(fault(ENOENT).reason == .lineMissing)
    #expect(fault(ENODEV).reason == .lineMissing)
    #expect(fault(ENODEV).text == "open /dev/gpiochip0: No such device")
  }

  @Test("A machine without the chip says so, and can be asked without being changed")
  func survey() {
    let line = LineDefinition.line("fan", "no-such-chip", 0)
    for finding in LineSurvey.of([line]) + [LineReading.read(line)] {
      #expect(finding.line == "fan")
      #expect(finding.place == nil)
      // A machine with chips that the user may not open can't tell.
      #expect(finding.fault == .lineMissing || finding.fault == .refused)
      #expect(finding.text?.isEmpty == false)
    }
  }
}
