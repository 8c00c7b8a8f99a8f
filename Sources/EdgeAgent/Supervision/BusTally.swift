internal import Telemetry

/// What the devices of a bus say about it: a bus that is open but where nothing answers looks well
/// by itself. Pure.
struct BusTally {
  /// Kinds of no answer that several devices have in common when their line, supply or gateway is
  /// at fault. Other exceptions are answers; whether a connection is there the bus knows itself.
  private static let silences = Set(
    [BadReason.timeout, .crc, .badAnswer, .exception(10), .exception(11)].map { "\($0)" })

  /// When the newest good value of all devices was measured.
  private(set) var newestValue: Timestamp?
  /// What all devices so far are lost for; `nil` where one isn't.
  private(set) var silence: Silence?
  private var hasDevices = false

  /// Why no device answers.
  struct Silence {
    var fault: String
    /// Unix milliseconds since when the last of them was lost.
    var since: Int64
  }

  /// Counts a device in.
  mutating func take(_ device: HealthReport.Part) {
    if let newest = device.newestValue, newest.monotonic > newestValue?.monotonic ?? .min {
      newestValue = newest
    }
    defer { hasDevices = true }
    // A device has such a word as its fault only while it is lost; a point's stands after its name.
    guard let fault = device.fault, Self.silences.contains(fault),
      !hasDevices || silence?.fault == fault
    else {
      silence = nil
      return
    }
    silence = Silence(fault: fault, since: max(device.since, silence?.since ?? .min))
  }
}
