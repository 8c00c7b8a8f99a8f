import Foundation
import TestSupport
import Testing

/// A short slice of each campaign that plays real programs; the long ones are run by hand.
@Suite("Campaigns of faults", .ownThread)
struct CampaignTests {
  /// They take half a minute; each of their waits has a limit of its own and tells what it was for.
  private static let mostSeconds = 400.0

  @Test(
    "A few faults of each kind lose nothing, and are the same as in the last run",
    arguments: [
      ("kills", ["--count", "4", "--seed", "1"]),
      ("outages", ["--count", "3", "--seed", "4"]),
      // Links that come and go leave nothing behind.
      ("flap", ["--count", "30", "--seed", "7"]),
      // No answer is taken for another's, whatever a line does to it.
      ("modbus", ["--count", "20", "--seed", "3"]),
    ])
  func slice(name: String, options: [String]) throws {
    let campaign = try ChildProcess(
      Programs.sourceTree + "/scripts/campaign", [name] + options,
      environment: [
        "EDGE_PROGRAMS": Programs.directory,
        "CAMPAIGN_SLACK": "\(Programs.slack)",
        "CAMPAIGN_GROWTH": Programs.areReleased ? "judged" : "shown",
      ])
    let status = try campaign.waitForEnd(within: Self.mostSeconds)
    print(campaign.output)
    #expect(status == 0, "\(campaign.output)\(campaign.errors)")
    #expect(campaign.output.contains("\ncomplete\n"))
  }
}
