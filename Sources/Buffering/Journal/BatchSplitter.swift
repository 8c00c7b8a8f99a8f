internal import Telemetry

/// Decides where a run of samples or events is cut into batches. Pure.
enum BatchSplitter {
  /// A batch is published whole, so it must stay well below what brokers take.
  static let mostPublishedBytes = 64 * 1024
  /// Wall clocks that are disciplined move less than this within a batch; more is a step.
  static let largestOffsetChangeMilliseconds: Int64 = 10
  /// What a sample costs in a payload besides its points: device, time, braces.
  private static let sampleBytes = 64
  /// Name and value of a point: a generous average, since only the order of magnitude matters.
  private static let outcomeBytes = 32
  /// An event with its details.
  private static let eventBytes = 256

  /// A piece of the run and the context that all of it shares.
  struct Piece: Hashable {
    var range: Range<Int>
    var context: BatchContext
    /// Digest of the point definitions of all its samples; 0 for events.
    var definitions: UInt32
  }

  static func pieces(of samples: [DefinedSample], boot: BootID) -> [Piece] {
    split(
      samples.count, boot: boot, time: { samples[$0].sample.time },
      definitions: { samples[$0].definitions },
      bytes: { sampleBytes + samples[$0].sample.outcomes.count * outcomeBytes })
  }

  static func pieces(of events: [Event], boot: BootID) -> [Piece] {
    split(
      events.count, boot: boot, time: { events[$0].time }, definitions: { _ in 0 },
      bytes: { _ in eventBytes })
  }

  private static func split(
    _ count: Int, boot: BootID, time: (Int) -> Timestamp, definitions: (Int) -> UInt32,
    bytes: (Int) -> Int
  ) -> [Piece] {
    var pieces: [Piece] = []
    var filled = 0
    for item in 0..<count {
      let stamp = time(item)
      let size = bytes(item)
      if let last = pieces.last, fits(stamp, last.context), definitions(item) == last.definitions,
        filled + size <= mostPublishedBytes
      {
        pieces[pieces.count - 1].range = last.range.lowerBound..<item + 1
        filled += size
      } else {
        let context = BatchContext(boot: boot, offset: stamp.offset, clock: stamp.clock)
        pieces.append(
          Piece(range: item..<item + 1, context: context, definitions: definitions(item)))
        filled = size
      }
    }
    return pieces
  }

  private static func fits(_ stamp: Timestamp, _ context: BatchContext) -> Bool {
    stamp.clock == context.clock
      && (stamp.offset - context.offset).magnitude <= largestOffsetChangeMilliseconds.magnitude
  }
}
