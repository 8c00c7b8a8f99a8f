import Telemetry
import Testing

@Suite("What of a point's readings is news")
struct ReportRuleTests {
  private let rule = ReportRule(deadband: 0.5, atLeastMilliseconds: 60_000)

  @Test(
    "A number is news if it differs by more than the deadband",
    arguments: [
      (.int(10), .int(10), false), (.float64(10.5), .int(10), false),
      (.float64(10.6), .int(10), true), (.decimal(mantissa: 95, decimals: 1), .int(10), false),
      (.decimal(mantissa: 94, decimals: 1), .int(10), true), (.text("a"), .text("b"), true),
      (.text("a"), .text("a"), false),
    ] as [(Value, Value, Bool)])
  func numbers(value: Value, before: Value, isNews: Bool) {
    #expect(rule.isNews(.good(value), after: .good(before)) == isNews)
    #expect(
      rule.isNews(.bad(.outOfRange, raw: value), after: .bad(.outOfRange, raw: before)) == isNews)
  }

  @Test("Any change is news where there is no deadband")
  func anyChange() {
    for rule in [
      ReportRule(deadband: nil, atLeastMilliseconds: 1000),
      ReportRule(deadband: 0, atLeastMilliseconds: 1000),
    ] {
      #expect(rule.isNews(.good(.int(1)), after: .good(.int(2))))
      #expect(!rule.isNews(.good(.int(1)), after: .good(.int(1))))
      #expect(rule.isNews(.good(.uint(.max)), after: .good(.uint(.max - 1))))
      #expect(rule.isNews(.good(.bool(true)), after: .good(.bool(false))))
    }
  }

  @Test("Whether a reading is good, and why not, is always news")
  func reasons() {
    let wide = ReportRule(deadband: 1e9, atLeastMilliseconds: 1000)
    #expect(wide.isNews(.bad(.timeout), after: .good(.int(1))))
    #expect(wide.isNews(.good(.int(1)), after: .bad(.timeout)))
    #expect(wide.isNews(.bad(.offline), after: .bad(.timeout)))
    #expect(!wide.isNews(.bad(.timeout), after: .bad(.timeout)))
    #expect(wide.isNews(.bad(.outOfRange, raw: .int(5)), after: .bad(.outOfRange)))
  }
}

@Suite("What a point's numbers mean")
struct MeaningTests {
  @Test("A state has the name that the configuration gives its number, with or without a sign")
  func states() {
    let pump = PointDescription(name: "pump", type: "int16", enumeration: [-1: "fault", 1: "runs"])
    #expect(pump.meaning(of: .int(-1)) == "fault")
    #expect(pump.meaning(of: .uint(1)) == "runs")
    #expect(pump.meaning(of: .uint(.max)) == nil)
    #expect(pump.meaning(of: .int(2)) == nil && pump.meaning(of: .bool(true)) == nil)
    #expect(PointDescription(name: "p", type: "int16").meaning(of: .int(1)) == nil)
  }
}
