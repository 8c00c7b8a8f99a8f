internal import Telemetry

/// Keeps the samples of each line or area in strictly increasing times: several edges may come in a
/// millisecond, and threads that tell of an area overtake each other. Pure.
struct SampleOrdering {
  /// Monotonic milliseconds, by the device's name.
  private var newest: [String: Int64] = [:]

  /// The sample as it is to be told: at its own time, or where one of that time or a later one was
  /// told, the millisecond after that one.
  mutating func ordered(_ sample: Sample) -> Sample {
    let name = sample.device.name
    var sample = sample
    if let last = newest[name], sample.time.monotonic <= last {
      sample.time = sample.time.advanced(by: last + 1 - sample.time.monotonic)
    }
    newest[name] = sample.time.monotonic
    return sample
  }

  /// Forgets all but these.
  mutating func keepOnly(_ names: Set<String>) {
    newest = newest.filter { names.contains($0.key) }
  }
}
