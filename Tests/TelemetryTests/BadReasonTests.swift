import Telemetry
import Testing

@Suite("Words of closed lists")
struct BadReasonTests {
  @Test("Bad reasons are the contract's, each once, with the code that journals hold")
  func list() {
    let expected: [(String, UInt8)] =
      [
        ("timeout", 1), ("offline", 2), ("crc", 3), ("bad-answer", 4), ("bus-closed", 5),
        ("refused", 6), ("out-of-range", 7), ("not-a-number", 8), ("error-value", 9),
        ("unsupported", 10), ("line-missing", 11), ("line-busy", 12), ("signal-lost", 13),
        ("out-of-band", 14), ("chattering", 15), ("not-read", 16),
      ] + (1...11).map { ("exception-\($0)", 64 + UInt8($0)) }
    #expect(BadReason.all.map(\.description) == expected.map(\.0))
    #expect(BadReason.all.map(\.code) == expected.map(\.1))
    #expect(Set(BadReason.all.map(\.description)).count == BadReason.all.count)
    #expect(Set(BadReason.all.map(\.code)).count == BadReason.all.count)
  }

  @Test("Every byte reads as the reason that has it, or as none")
  func codes() {
    for code in UInt8.min ... .max {
      #expect(BadReason(code: code) == BadReason.all.first { $0.code == code })
    }
    #expect(BadReason(code: 0) == nil)
  }

  @Test("Units of measure are what a configuration writes")
  func units() {
    #expect(MeasurementUnit(rawValue: "%CH4") == .percentMethane)
    #expect(MeasurementUnit(rawValue: "%LEL") == .percentLowerExplosiveLimit)
    #expect(MeasurementUnit(rawValue: "%") == .percent)
    #expect(MeasurementUnit(rawValue: "%ch4") == nil)
  }

  @Test("A report is healthy when nothing at all is wrong")
  func health() {
    let time = Timestamp(monotonic: 1, offset: 2, clock: .synced)
    func part(_ fault: String?) -> HealthReport.Part {
      HealthReport.Part(kind: .bus, name: "b", fault: fault, since: 0, newestValue: nil)
    }
    func report(_ parts: [HealthReport.Part], _ store: String? = nil) -> HealthReport {
      HealthReport(time: time, parts: parts, storeFault: store)
    }
    #expect(report([part(nil), part(nil)]).isHealthy)
    #expect(!report([part(nil), part("timeout")]).isHealthy)
    #expect(!report([part(nil)], "read-only").isHealthy)
  }
}
