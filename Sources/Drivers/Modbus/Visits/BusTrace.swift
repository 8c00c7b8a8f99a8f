/// Something that went over the wire in a transaction.
public struct TraceEvent: Sendable, Hashable {
  /// Which way, or what became of it.
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    /// The request.
    case sent
    /// Bytes that came behind it.
    case received
    /// Bytes that were on the line before the request, and were read away.
    case drained
    /// An answer that was known for a late one, with its bytes where they can be told.
    case late
  }

  /// What it is.
  public var kind: Kind
  /// When, in microseconds since the request's first byte was handed to the kernel.
  public var microseconds: Int64
  /// The bytes, as they came.
  public var bytes: [UInt8]

  /// Makes an event of its parts.
  public init(kind: Kind, microseconds: Int64, bytes: [UInt8]) {
    self.kind = kind
    self.microseconds = microseconds
    self.bytes = bytes
  }
}

/// Takes down what goes over a connection's wire during one transaction. The connection's thread
/// alone has it; a connection without one takes nothing down.
final class BusTrace {
  /// A late answer, the answer and noise have less than 1 KiB; who sends more is known by then.
  private static let mostBytes = 4096

  private var events: [(kind: TraceEvent.Kind, at: ContinuousClock.Instant, bytes: [UInt8])] = []
  private var sent: ContinuousClock.Instant?
  private var count = 0

  /// Bytes are about to be handed to the kernel.
  func willSend(_ bytes: [UInt8]) {
    let now = ContinuousClock.now
    sent = sent ?? now
    take(.sent, bytes[...], at: now)
  }

  /// Bytes were read.
  func received(_ bytes: ArraySlice<UInt8>) {
    take(sent == nil ? .drained : .received, bytes, at: .now)
  }

  /// An answer was known for a late one; without `bytes` those that came last hold it.
  func knewLate(_ bytes: [UInt8] = []) { take(.late, bytes[...], at: .now) }

  private func take(
    _ kind: TraceEvent.Kind, _ bytes: ArraySlice<UInt8>, at now: ContinuousClock.Instant
  ) {
    guard count <= Self.mostBytes else { return }
    // What carries no bytes is bounded, too.
    count += bytes.count + 1
    events.append((kind, now, Array(bytes.prefix(Self.mostBytes))))
  }

  /// What was taken down, in order. Without a request times are since the first event.
  var taken: [TraceEvent] {
    guard let zero = sent ?? events.first?.at else { return [] }
    return events.map { event in
      TraceEvent(
        kind: event.kind, microseconds: (event.at - zero).microseconds, bytes: event.bytes)
    }
  }
}
