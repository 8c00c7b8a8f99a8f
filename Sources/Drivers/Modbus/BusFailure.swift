internal import Glibc
internal import LinuxSystem
internal import Telemetry

/// Why a connection could not be made.
enum ConnectError: Error, Hashable {
  /// The name was not found; the resolver's words.
  case unresolved(host: String, reason: String)
  /// The other side, or a router before it, refused.
  case refused(endpoint: String)
  /// Any other failure, such as no route or no answer in time.
  case failed(SystemError)
  /// Another program, or another bus, has the serial port.
  case portInUse(path: String)
  /// What stands at the path is no terminal.
  case notATerminal(path: String)
  /// The port's driver did not take one of the line's settings.
  case settingRefused(path: String, setting: String)
  /// libmodbus waits with `select`, which can't take descriptors from the limit on.
  case descriptorTooHigh(lowestFree: Int32, limit: Int32)

  /// What points due meanwhile say.
  var badReason: BadReason {
    if case .refused = self { .refused } else { .busClosed }
  }

  /// Whether the attempt cost neither side anything, so that the next may follow soon.
  var isQuick: Bool {
    switch self {
    case .refused, .portInUse: true
    case .failed(let error): !error.isTimeout
    case .unresolved, .descriptorTooHigh, .settingRefused, .notATerminal: false
    }
  }
}

extension ConnectError: CustomStringConvertible {
  /// What failed, where, and why.
  var description: String {
    switch self {
    case .unresolved(let host, let reason): "resolve \(host): \(reason)"
    case .refused(let endpoint): "connect \(endpoint): Connection refused"
    case .failed(let error): error.description
    case .portInUse(let path): "open \(path): in use by another program or bus"
    case .notATerminal(let path): "open \(path): it is no serial port"
    case .settingRefused(let path, let setting): "open \(path): the port does not take \(setting)"
    case .descriptorTooHigh(let lowestFree, let limit):
      "too many open files: next descriptor \(lowestFree); libmodbus needs one below \(limit)"
    }
  }
}

extension SystemError {
  /// Whether the call ran into its deadline.
  fileprivate var isTimeout: Bool { code == ETIMEDOUT }
}

/// What came in an answer's time and is none.
enum Heard: Hashable {
  case nothing
  /// The beginning of the answer.
  case part
  /// The request itself.
  case echo
  /// Fewer bytes than an answer has, and not its beginning.
  case noise
}

/// Why a transaction yielded no answer.
enum TransactionError: Error, Hashable {
  /// No answer in time. Over TCP bytes of one that broke off make what follows ambiguous.
  case timeout(brokeOff: Bool, heard: Heard = .nothing)
  /// The answer with a wrong checksum; serial lines only.
  case wrongChecksum
  /// Bytes enough for an answer, and none of them the beginning of it; serial lines only. The
  /// answer may still come.
  case noise
  /// An answer that can't be the one.
  case badAnswer(AnswerError)
  /// The connection was found closed before the request was sent.
  case closedBefore(reason: String)
  /// Nothing was sent: an answer that could not be told from this request's may still be in the
  /// connection, which is to be replaced.
  case staleConnection
  /// The connection closed between request and answer.
  case closed(reason: String)
}
