public import LinuxSystem

/// Why a connection could not be made, ended, or did not take a message.
public enum MQTTError: Error, Sendable, Hashable {
  /// The library refuses the settings: which, and what it expects.
  case unusable(String)
  /// The host name has no address, or the name server did not answer.
  case nameUnknown(host: String)
  /// The connection could not be made secure.
  case tls(TLSFailure)
  /// The network refused or lost the connection.
  case socket(SystemError)
  /// There is no connection to publish on.
  case notConnected
  /// The packet exceeds what the broker takes. Sending it again is no use.
  case tooLarge(bytes: Int, limit: Int)
  /// The broker did not answer within the keep-alive time.
  case silent
  /// The broker ended it; with its reason where it sent a DISCONNECT.
  case closed(MQTTReason?)
  /// It ended because we sent a DISCONNECT.
  case orderly
  /// Anything else that the library reports: the call, its error code and text.
  case library(call: String, code: Int32, text: String)
}

extension MQTTError: CustomStringConvertible {
  /// What is wrong, in one line.
  public var description: String {
    switch self {
    case .unusable(let what): what
    case .nameUnknown(let host): "the host name \(host) has no address"
    case .tls(let failure): failure.description
    case .socket(let error): error.description
    case .notConnected: "not connected"
    case .tooLarge(let bytes, let limit):
      "the packet is too large: \(bytes) bytes, the broker takes \(limit)"
    case .silent: "the broker did not answer within the keep-alive time"
    case .closed(let reason?): "the broker closed the connection, reason \(reason)"
    case .closed(nil): "the broker closed the connection"
    case .orderly: "disconnected on request"
    case .library(let call, let code, let text): "\(call): error \(code), \(text)"
    }
  }
}
