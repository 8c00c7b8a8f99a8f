/// Why a point that was due has no good value: the closed list of the contract. Silence is never
/// an outcome, so every due point carries a value or one of these.
public enum BadReason: Sendable, Hashable {
  /// No answer within the bus's timeout.
  case timeout
  /// The unit is backed off after repeated failures and was not asked.
  case offline
  /// An RTU answer whose checksum is wrong.
  case crc
  /// An answer of the wrong unit, function, length or transaction.
  case badAnswer
  /// A Modbus exception answer, code 1…11 (Modbus Application Protocol V1.1b3, section 7).
  case exception(UInt8)
  /// The serial port or the connection could not be opened, or closed.
  case busClosed
  /// The other side refused the connection.
  case refused
  /// Outside the configured range; the value stands beside the reason as raw.
  case outOfRange
  /// A float register that holds no number.
  case notANumber
  /// A register value that the device's manual defines as an error.
  case errorValue
  /// The device has no such register.
  case unsupported
  /// A GPIO line or chip that does not exist.
  case lineMissing
  /// A GPIO line that another program holds.
  case lineBusy
  /// A frequency input without edges.
  case signalLost
  /// A frequency outside its band.
  case outOfBand
  /// A contact that changes faster than it is reported.
  case chattering
  /// The cycle overran and the point was not asked.
  case notRead
}

extension BadReason {
  /// Exception codes are stored as this plus the code, so that the list can grow below it.
  private static let firstExceptionCode: UInt8 = 64
  /// Codes 1…11 are what the Modbus specification and its gateways define; others are bad answers.
  public static let exceptionCodes: ClosedRange<UInt8> = 1...11

  /// Reasons with their stored code and their text in payloads. The codes are part of the
  /// journal's format: never renumber one.
  private static let plain: [(reason: BadReason, code: UInt8, text: String)] = [
    (.timeout, 1, "timeout"), (.offline, 2, "offline"), (.crc, 3, "crc"),
    (.badAnswer, 4, "bad-answer"), (.busClosed, 5, "bus-closed"), (.refused, 6, "refused"),
    (.outOfRange, 7, "out-of-range"), (.notANumber, 8, "not-a-number"),
    (.errorValue, 9, "error-value"), (.unsupported, 10, "unsupported"),
    (.lineMissing, 11, "line-missing"), (.lineBusy, 12, "line-busy"),
    (.signalLost, 13, "signal-lost"), (.outOfBand, 14, "out-of-band"),
    (.chattering, 15, "chattering"), (.notRead, 16, "not-read"),
  ]

  /// The byte that stands for the reason in the journal.
  public var code: UInt8 {
    if case .exception(let exception) = self { return Self.firstExceptionCode + exception }
    return Self.plain.first { $0.reason == self }?.code ?? 0
  }

  /// The reason of a stored byte, `nil` for a byte that no version of this list has.
  public init?(code: UInt8) {
    if code > Self.firstExceptionCode {
      let exception = code - Self.firstExceptionCode
      guard Self.exceptionCodes.contains(exception) else { return nil }
      self = .exception(exception)
    } else if let entry = Self.plain.first(where: { $0.code == code }) {
      self = entry.reason
    } else {
      return nil
    }
  }

  /// Every reason there is, for documentation and tests.
  public static let all: [BadReason] = plain.map(\.reason) + exceptionCodes.map(Self.exception)
}

extension BadReason: CustomStringConvertible {
  /// The reason as payloads name it, such as `timeout` or `exception-2`.
  public var description: String {
    if case .exception(let exception) = self { return "exception-\(exception)" }
    return Self.plain.first { $0.reason == self }?.text ?? "bad-answer"
  }
}
