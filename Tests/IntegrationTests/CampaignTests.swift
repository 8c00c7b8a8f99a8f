import Foundation
import TestSupport
import Testing

/// A short slice of each campaign that plays real programs; the long ones are run by hand.
@Suite("Campaigns of faults", .ownThread)
struct CampaignTests {
  /// Seconds. The programs of a campaign have time-outs of their own; this ends one that hangs.
  private static let limit = 600.0

  @Test(
    "A few faults of each kind lose nothing, and are the same as in the last run",
    arguments: [
      ("kills", ["--count", "4", "--seed", "1"]),
      ("outages", ["--count", "3", "--seed", "4"]),
      // Links that come and go leave nothing behind.
      ("flap", ["--count", "30", "--seed", "7"]),
    ])
  func slice(name: String, options: [String]) throws {
    let result = try ChildProcess.run(
      Programs.sourceTree + "/scripts/campaign", [name] + options,
      environment: [
        "EDGE_PROGRAMS": Programs.directory,
        // Growth is looked for where there is none.
        "CAMPAIGN_SLACK": Programs.areReleased ? "0" : "\(Programs.slack)",
      ],
      within: Self.limit)
    print(result.output)
    #expect(result.status == 0, "\(result.output)\(result.errors)")
    #expect(result.output.contains("\ncomplete\n"))
  }
}
