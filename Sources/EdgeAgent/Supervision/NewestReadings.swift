internal import Telemetry

/// The newest outcome of each point, for whoever asks how the devices are doing. One entry a point,
/// whatever happens. Pure.
struct NewestReadings: Sendable {
  /// What became of a point when it was last due.
  struct Reading: Sendable, Hashable {
    var outcome: Outcome
    var time: Timestamp
  }

  private struct Device {
    let schema: DeviceSchema
    /// By the point's index.
    var readings: [Reading?]

    init(_ schema: DeviceSchema) {
      self.schema = schema
      readings = Array(repeating: nil, count: schema.points.count)
    }

    mutating func take(_ sample: Sample) {
      for outcome in sample.outcomes where readings.indices.contains(outcome.point) {
        readings[outcome.point] = Reading(outcome: outcome.outcome, time: sample.time)
      }
    }
  }

  private var devices: [String: Device] = [:]

  /// Takes a sample of a device that is configured.
  mutating func take(_ sample: Sample) {
    // A reloaded device may have other points under the same indices.
    if devices[sample.device.name]?.schema != sample.device {
      devices[sample.device.name] = Device(sample.device)
    }
    // In place: every cycle of every device comes through here.
    devices[sample.device.name]?.take(sample)
  }

  /// Forgets all devices but these.
  mutating func keepOnly(_ names: Set<String>) {
    devices = devices.filter { names.contains($0.key) }
  }

  /// Forgets a device that begins anew.
  mutating func forget(_ name: String) { devices[name] = nil }

  /// The newest outcome of each point of a device that was due since it began.
  func readings(of device: String) -> [String: Reading] {
    guard let found = devices[device] else { return [:] }
    let due = zip(found.schema.points, found.readings).compactMap { point, reading in
      reading.map { (point, $0) }
    }
    return Dictionary(due) { first, _ in first }
  }
}
