/// What a rate of values makes of a store: for how long its size lasts, and what is written to
/// flash. Pure.
public struct StoreForecast: Sendable, Hashable {
  /// What a value takes in a store: from the simulator's float signals with all their digits, 16
  /// points a device and 2, a batch each, as `StoredSizeTests` prints them: 4.1 bytes a value with
  /// 16 and 8.8 with 2, samples included. What sensors measure in hundredths takes half of it;
  /// `edge-agent journal stats` says what it is in a given store.
  public static let bytesPerValue = 3.5
  /// What a sample of a device takes besides its values; measured with `bytesPerValue`.
  public static let bytesPerSample = 11.0
  /// What is written of a file is written in whole pages.
  static let pageBytes = 4096.0
  /// A cursor is written again so often while batches are acknowledged.
  static let cursorSeconds = 10.0
  private static let daySeconds = 86_400.0

  /// Bytes that are appended a second where so many values come in so many samples.
  public static func bytesPerSecond(values: Double, samples: Double) -> Double {
    values * bytesPerValue + samples * bytesPerSample
  }

  /// Bytes that are appended a second.
  public var bytesPerSecond: Double
  /// Seconds from one sync to the next.
  public var commitSeconds: Double
  /// How many cursors are kept.
  public var destinations: Int

  /// Forecasts for a rate.
  public init(bytesPerSecond: Double, commitSeconds: Double, destinations: Int) {
    self.bytesPerSecond = bytesPerSecond
    self.commitSeconds = commitSeconds
    self.destinations = destinations
  }

  /// For how many days `bytes` last; `nil` where nothing is written.
  public func days(in bytes: Int64) -> Double? {
    bytesPerSecond > 0 ? Double(bytes) / (bytesPerSecond * Self.daySeconds) : nil
  }

  /// Bytes that reach the device a day. Each sync writes what was appended and, on average, half a
  /// page before and half a page behind it again; each destination's cursor is a page every 10 s.
  /// Until the cap is reached (`isGrowing`) what is appended was written as zeros once before.
  /// What the flash's own controller makes of that is its affair.
  public func flashBytesPerDay(isGrowing: Bool) -> Double {
    guard bytesPerSecond > 0 else { return 0 }
    let appended = bytesPerSecond + Self.pageBytes / commitSeconds
    let cursors = Double(destinations) * Self.pageBytes / Self.cursorSeconds
    let zeros = isGrowing ? bytesPerSecond : 0
    return (appended + cursors + zeros) * Self.daySeconds
  }
}
