internal import Buffering
internal import Telemetry

/// The live and the backlog reader of one stream for one connection, each with the batch that it
/// will send next. The backlog ends where the live lane began, or began again. When the log is
/// opened anew both lanes begin anew.
struct StreamLanes {
  /// A batch that was read and waits to be sent.
  struct Head {
    var batch: Batch
    var start: LogPosition
    /// Encoded when it is first weighed.
    var payload: [UInt8]?
  }

  let stream: StreamName
  private let log: any BatchLog
  private let destination: DestinationName
  private var edition: UInt32
  private var live: any BatchReader
  private var history: any BatchReader
  private var historyLimit: LogPosition
  // Nothing is added before the limit, so once the backlog is read it stays so.
  private var isHistoryRead = false
  private var liveHead: Head?
  private var historyHead: Head?
  // Where the backlog has to be read again from, and from when on.
  private var rewind: (position: LogPosition, at: Int64)?

  /// Live delivery begins at the log's end as it is now; all before it is backlog.
  init(stream: StreamName, log: any BatchLog, destination: DestinationName) {
    self.stream = stream
    self.log = log
    self.destination = destination
    edition = log.edition
    let end = log.end(of: stream)
    live = log.reader(of: stream, for: destination, from: end)
    history = log.reader(of: stream, for: destination, from: .start)
    historyLimit = end
  }

  /// When a backlog that pauses goes on; `nil` while it does not pause.
  var resumesAt: Int64? { rewind?.at }

  /// The batch that the live lane sends next.
  mutating func live(skipping isSkipped: (BatchIdentity) -> Bool) -> Head? {
    followEdition()
    if liveHead == nil { liveHead = Self.read(live, before: nil, isSkipped) }
    return liveHead
  }

  /// The batch that the backlog sends next; none while it pauses.
  mutating func history(now: Int64, skipping isSkipped: (BatchIdentity) -> Bool) -> Head? {
    followEdition()
    if let rewind {
      guard now >= rewind.at else { return nil }
      resume(from: rewind.position)
    }
    if historyHead == nil, !isHistoryRead {
      historyHead = Self.read(history, before: historyLimit, isSkipped)
      isHistoryRead = historyHead == nil
    }
    return historyHead
  }

  /// Whether a lane sends this batch next; not while it pauses.
  func isNext(_ identity: BatchIdentity, now: Int64) -> Bool {
    if liveHead?.batch.identity == identity { return true }
    return historyHead?.batch.identity == identity && (rewind.map { now >= $0.at } ?? true)
  }

  /// Keeps the encoded form of a head, so that it is made once.
  mutating func keep(_ payload: [UInt8], isHistory: Bool) {
    if isHistory { historyHead?.payload = payload } else { liveHead?.payload = payload }
  }

  /// What was not sent yet stands in the log that was opened anew, too.
  private mutating func followEdition() {
    guard log.edition != edition else { return }
    edition = log.edition
    moveLiveToTail()
    historyHead = nil
    history = log.reader(of: stream, for: destination, from: .start)
    // A pause goes on; then all is read from the start in any case.
    rewind?.position = .start
  }

  /// The head of a lane was sent or set aside.
  mutating func take(isHistory: Bool) {
    if isHistory { historyHead = nil } else { liveHead = nil }
  }

  /// The link is slower than the mine: what waits in the live lane becomes backlog, and live goes
  /// on at the tail.
  mutating func moveLiveToTail() {
    liveHead = nil
    isHistoryRead = false
    historyLimit = log.end(of: stream)
    live = log.reader(of: stream, for: destination, from: historyLimit)
  }

  /// The batch at `position` was refused for now: the backlog pauses and then is read again from
  /// there, which costs no memory however many are refused.
  mutating func retry(from position: LogPosition, at time: Int64) {
    rewind = (min(rewind?.position ?? position, position), max(rewind?.at ?? time, time))
  }

  private mutating func resume(from position: LogPosition) {
    let unread = historyHead?.start ?? history.position
    historyHead = nil
    isHistoryRead = false
    rewind = nil
    // What was refused may have been live: the backlog now ends where the live lane stands. Batches
    // in between that are in flight are skipped.
    historyLimit = max(historyLimit, liveHead?.start ?? live.position)
    history = log.reader(of: stream, for: destination, from: min(position, unread))
  }

  private static func read(
    _ reader: any BatchReader, before limit: LogPosition?, _ isSkipped: (BatchIdentity) -> Bool
  ) -> Head? {
    while let (batch, start) = reader.next(before: limit) {
      if !isSkipped(batch.identity) { return Head(batch: batch, start: start, payload: nil) }
    }
    return nil
  }
}
