import Foundation
import TestSupport
import Testing

/// Points that are delivered on change, on real parts: what is held back is no loss, and what
/// moves arrives.
@Suite("Points that are reported on change", .ownThread)
struct ReportTests {
  private static let scenario = """
    seed: 7
    stations:
      station: { repeat: 2, port: 15000 }
    devices:
      sensor:
        repeat: 2
        station: station
        unit: 1
        every: 200ms
        points:
          ch4:
            repeat: 4
            input: 0
            type: float32
            unit: "%CH4"
            signal: { methane: { base: 0.3, noise: 0.02, burst: 0.8, burst-every: 20s } }

    """

  @Test("The account knows what a point's rule leaves out, and misses nothing else")
  func onChange() throws {
    let rig = try Rig(scenario: Self.scenario, stations: 2)
    let plain = text(of: rig.path + "/agent.yaml")
    let rule = "\n    unit: 1\n    report: { deadband: 0.03, at-least: 3s }\n"
    try write(
      plain.replacingOccurrences(of: "\n    unit: 1\n", with: rule), to: rig.path + "/agent.yaml")
    #expect(text(of: rig.path + "/agent.yaml") != plain)
    try rig.startAll()
    reach(.now + .seconds(12))
    let account = try rig.finish()

    #expect(account.problems == [])
    let served = account.number("truth", "served")
    let delivered = account.number("truth", "delivered")
    let unreported = account.number("truth", "unreported")
    #expect(served > 8 * 5 * 8)
    #expect(delivered + unreported == served)
    // Each of the 8 points at the start, and every 3 s; and most readings are no news.
    #expect(delivered >= 8 * 3 && unreported > served / 4, "\(delivered) of \(served)")
    #expect(account.number("truth", "invented") == 0)
  }
}
