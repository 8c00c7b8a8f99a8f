/// Holds back a request while an answer to an earlier one like it may still come: a serial line
/// numbers nothing, so the late answer would be taken for the new one. Requests to other units, or
/// with another function or answer length, need not wait.
struct LateWindow: Sendable, Hashable {
  /// How long after a request was given up its answer is reckoned with, in time-outs. Slaves that
  /// are slow now and then, and gateways that try again, stay within twice the usual; what comes
  /// later still is the stated limit.
  static let timeouts: Int64 = 2

  /// `nil` on a bus that numbers its transactions.
  private let timings: UnitTimings?
  private var ends: [AnswerShape: Int64] = [:]

  /// A window for a bus; one that numbers its transactions needs none.
  init(_ definition: ModbusBusDefinition) {
    switch definition.endpoint {
    case .tcp: timings = nil
    case .rtu, .rtuOverTCP: timings = UnitTimings(definition)
    }
  }

  /// When `request` may be asked, in monotonic milliseconds; long ago if it may at any time.
  func opening(for request: PlannedRequest) -> Int64 {
    guard !ends.isEmpty else { return .min }
    return ends[request.answerShape] ?? .min
  }

  /// `request` was given up at `now`. Bounded by the requests of a bus and their parts.
  mutating func recordGivenUp(_ request: PlannedRequest, at now: Int64) {
    guard let timings else { return }
    ends = ends.filter { $0.value > now }
    ends[request.answerShape] =
      now + Self.timeouts * timings[request.unit].timeoutMilliseconds
  }
}

extension PlannedRequest {
  fileprivate var answerShape: AnswerShape { readRequest.answerShape(unit: unit) }

  /// What is sent of it.
  var readRequest: ReadRequest { ReadRequest(table: table, address: address, count: count) }
}
