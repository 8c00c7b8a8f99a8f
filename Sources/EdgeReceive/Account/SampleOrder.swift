import Telemetry

/// Checks that the samples of a point never go back in time on a topic, repeats apart.
struct SampleOrder: Sendable {
  /// One of the four topics that carry batches, of one gateway's boot; times are comparable within.
  struct Lane: Sendable, Hashable {
    var gateway: String
    var boot: BootID
    var isHistory: Bool
  }

  /// A sample that came after a younger one.
  struct Violation: Sendable, Hashable {
    var lane: Lane
    var device: String
    var point: String
    /// Monotonic time of the sample that came before, ms.
    var previous: Int64
    /// Its own monotonic time, ms.
    var monotonic: Int64
    /// The batch it is in.
    var stream: StreamEpoch
    var seq: UInt64
  }

  /// Enough to see what happened; the count says the rest.
  static let exampleLimit = 10

  private struct Key: Hashable {
    var device: String
    var point: String
  }

  private var newest: [Lane: [Key: Int64]] = [:]
  /// How many readings came after a younger one of the same point.
  private(set) var violationCount = 0
  /// The first of them.
  private(set) var examples: [Violation] = []

  /// Looks at the samples of a batch that is no repeat.
  mutating func check(_ batch: ReceivedBatch, isHistory: Bool) {
    guard case .samples(let samples) = batch.body else { return }
    let lane = Lane(gateway: batch.stream.epoch.gateway, boot: batch.boot, isHistory: isHistory)
    for sample in samples {
      for reading in sample.readings {
        let key = Key(device: sample.device, point: reading.point)
        let previous = newest[lane, default: [:]][key]
        if let previous, sample.monotonic < previous {
          violationCount += 1
          guard examples.count < Self.exampleLimit else { continue }
          examples.append(
            Violation(
              lane: lane, device: key.device, point: key.point, previous: previous,
              monotonic: sample.monotonic, stream: batch.stream, seq: batch.seq))
        } else {
          newest[lane, default: [:]][key] = sample.monotonic
        }
      }
    }
  }
}
