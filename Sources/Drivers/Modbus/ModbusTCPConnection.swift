internal import Glibc

/// An open Modbus TCP connection; the frames are our own (docs/decisions/0002-own-mbap-framing.md).
/// Every call may block its thread until its deadline.
struct ModbusTCPConnection: ~Copyable {
  /// Late answers passed over before a request; a peer that sends more talks without being asked.
  private static let lateAnswersPerRequest = 64

  private let socket: ModbusSocket
  private var transactions = TransactionCounter()
  private var received: [UInt8] = []
  /// When the last transaction ended, and the silence that it asked for behind it.
  private var lastUse: ContinuousClock.Instant?
  private var pauseBehind: Duration = .zero
  private var endpoint: String { socket.endpoint }

  /// Answers that came after their request had been given up.
  private(set) var lateAnswers = 0
  /// From the end of the last request that was answered to its answer.
  private(set) var turnaround: Duration?
  /// When the newest answer was read.
  private(set) var answerRead: ContinuousClock.Instant?
  /// Takes down what goes over the wire, while somebody wants that.
  var trace: BusTrace?

  private init(_ socket: consuming ModbusSocket) { self.socket = socket }

  /// Connects to the first address of `host` that answers.
  static func open(
    host: String, port: UInt16, manners: BusManners = BusManners(),
    lookup: HostLookup = HostLookup()
  ) throws(ConnectError) -> ModbusTCPConnection {
    ModbusTCPConnection(
      try ModbusSocket.open(host: host, port: port, manners: manners, lookup: lookup))
  }

  /// Asks `unit` and waits for its answer until `timeout` after the request was sent, however
  /// slowly the bytes come. Nothing is sent for `pause` at least before the request and behind its
  /// end.
  mutating func read(
    _ request: ReadRequest, unit: UInt8, timeout: Duration, pause: Duration = .zero
  ) throws(TransactionError) -> ReadAnswer {
    keepQuiet(for: max(pause, pauseBehind))
    pauseBehind = pause
    defer { lastUse = .now }
    try passOverLateAnswers()
    let transaction = transactions.next()
    let frame = ModbusTCPFrame(transaction: transaction, unit: unit, pdu: request.pdu).bytes
    trace?.willSend(frame)
    try socket.send(frame)
    let sent = ContinuousClock.now
    while let frame = try nextFrame(until: sent + timeout) {
      let read = ContinuousClock.now
      guard read <= sent + timeout + ReadAnswer.standstill else { break }
      if transactions.isLate(frame.transaction) {
        lateAnswers += 1
        trace?.knewLate(frame.bytes)
        continue
      }
      turnaround = sent.duration(to: read)
      answerRead = read
      do {
        return try frame.answer(to: request, transaction: transaction, unit: unit)
      } catch {
        throw .badAnswer(error)
      }
    }
    throw .timeout(brokeOff: !received.isEmpty, heard: received.isEmpty ? .nothing : .part)
  }

  private func keepQuiet(for pause: Duration) {
    guard pause > .zero, let lastUse else { return }
    let remaining = ContinuousClock.now.duration(to: lastUse + pause)
    if remaining > .zero { usleep(UInt32(remaining.millisecondsRoundedUp) * 1000) }
  }

  /// Clears the line before a request. The beginning of a late answer may stay: its rest belongs
  /// to the same stream and comes before the next answer.
  private mutating func passOverLateAnswers() throws(TransactionError) {
    do {
      for _ in 0..<Self.lateAnswersPerRequest {
        guard let frame = try nextFrame(until: nil) else { return }
        lateAnswers += 1
        trace?.knewLate(frame.bytes)
      }
    } catch .closed(let reason) {
      throw .closedBefore(reason: reason)
    } catch .badAnswer(let error) {
      // On a connection that was good a new one may do; who speaks first speaks no Modbus.
      guard transactions.isUsed else { throw .badAnswer(error) }
      throw .closedBefore(reason: "\(endpoint): \(error)")
    }
    throw .closedBefore(reason: "\(endpoint) sends without being asked")
  }

  /// The next whole frame; `nil` when none came until `deadline`, or without one, when none is
  /// there.
  private mutating func nextFrame(
    until deadline: ContinuousClock.Instant?
  ) throws(TransactionError) -> ModbusTCPFrame? {
    while true {
      do {
        if let frame = try ModbusTCPFrame.take(from: &received) { return frame }
      } catch {
        throw .badAnswer(error)
      }
      let remaining = deadline.map { ContinuousClock.now.duration(to: $0) }
      if let remaining, remaining <= .zero { return nil }
      let count = try socket.receive(into: &received, waiting: remaining ?? .zero)
      if count > 0 {
        trace?.received(received.suffix(count))
      } else if deadline == nil {
        return nil
      }
    }
  }
}
