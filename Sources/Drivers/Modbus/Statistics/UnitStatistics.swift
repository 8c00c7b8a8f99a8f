public import Telemetry

/// What a bus knows of one unit since it began: what came of the questions to it.
public struct UnitStatistics: Sendable, Hashable {
  /// Why the newest question without values had none.
  public struct Failure: Sendable, Hashable {
    /// The reason that the points bore.
    public var reason: BadReason
    /// When it was found.
    public var time: Timestamp
  }

  /// A unit that is asked less often than its points are due.
  public struct Rest: Sendable, Hashable {
    /// Questions without an answer since the last answer.
    public var timeouts: Int
    /// When it is asked again, in monotonic milliseconds.
    public var end: Int64
  }

  /// The unit's number.
  public let unit: UInt8
  /// Answers with values.
  public private(set) var answers = 0
  /// Questions without an answer in time.
  public private(set) var timeouts = 0
  /// Answers with a wrong checksum; serial lines only.
  public private(set) var wrongChecksums = 0
  /// Answers that could not be the one to their question.
  public private(set) var badAnswers = 0
  /// Exceptions that came.
  public var exceptions: [(code: UInt8, count: Int)] {
    exceptionCounts.enumerated().compactMap { $1 > 0 ? (UInt8($0), $1) : nil }
  }
  /// From a request's last byte to its answer.
  public private(set) var turnarounds = TurnaroundHistogram()
  /// `nil` as long as every question had its values.
  public private(set) var lastFailure: Failure?
  /// `nil` while it is asked as often as its points are due.
  public internal(set) var rest: Rest?

  // The connection closed over the newest question, or before it.
  private var wasClosed = false
  // By code; codes that the specification does not know are one count, at 0.
  private var exceptionCounts = [Int](
    repeating: 0, count: Int(BadReason.exceptionCodes.upperBound) + 1)

  /// Makes the statistics of a unit that was not asked yet.
  public init(unit: UInt8) { self.unit = unit }

  /// Takes what came of a question at `now`. What a connection that closed before the question has
  /// to do with is not the unit's, unless that happens twice in a row.
  /// - Parameter turnaround: Microseconds from the end of the request to its answer.
  mutating func record(
    _ result: Result<ReadAnswer, TransactionError>, turnaround: Int64?, at now: Timestamp
  ) {
    switch result {
    case .success(.values): answers += 1
    case .success(.exception(let code)):
      exceptionCounts[BadReason.exceptionCodes.contains(code) ? Int(code) : 0] += 1
    case .failure(.timeout): timeouts += 1
    case .failure(.wrongChecksum), .failure(.noise): wrongChecksums += 1
    case .failure(.badAnswer): badAnswers += 1
    case .failure(.closed): break
    case .failure(.closedBefore):
      // Stations close what is idle. Where the next connection closes, too, it is asked in vain.
      guard wasClosed else {
        wasClosed = true
        return
      }
    case .failure(.staleConnection): return
    }
    wasClosed = result.lacksConnection
    if let turnaround { turnarounds.record(microseconds: turnaround) }
    if let reason = result.badReason { lastFailure = Failure(reason: reason, time: now) }
  }
}

extension Result<ReadAnswer, TransactionError> {
  /// What the points of a question say that came to this; `nil` for values.
  var badReason: BadReason? {
    switch self {
    case .success(.values): nil
    case .success(.exception(let code)):
      BadReason.exceptionCodes.contains(code) ? .exception(code) : .badAnswer
    case .failure(.timeout): .timeout
    case .failure(.wrongChecksum), .failure(.noise): .crc
    case .failure(.badAnswer): .badAnswer
    case .failure(.closed), .failure(.closedBefore), .failure(.staleConnection): .busClosed
    }
  }
}
