internal import Glibc

/// The seeds of a property test.
public enum Seeds {
  /// `count` seeds from 0, or those of a campaign: CAMPAIGN_COUNT of them from CAMPAIGN_SEED on.
  public static func given(orFirst count: UInt64) -> Range<UInt64> {
    guard let first = number("CAMPAIGN_SEED"), let count = number("CAMPAIGN_COUNT") else {
      return 0..<count
    }
    return first..<first + count
  }

  /// Each how manyth of many like cases is tried: `usual`, and every one in a campaign.
  public static func stride(_ usual: Int) -> Int { number("CAMPAIGN_SEED") == nil ? usual : 1 }

  private static func number(_ name: String) -> UInt64? {
    getenv(name).flatMap { UInt64(String(cString: $0)) }
  }
}
