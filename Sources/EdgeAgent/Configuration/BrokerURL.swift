/// Parsing of `mqtt://HOST[:PORT]` and `mqtts://HOST[:PORT]`.
enum BrokerURL {
  /// What is expected where one is written; the port may be left out.
  static let form = "mqtt://HOST:PORT or mqtts://HOST:PORT"

  /// Why a text is no address of a broker. Never quotes the text: it may hold a password.
  struct Fault: Error, Hashable {
    var what: String
    var expected: String?
  }

  /// Whether a URL could be understood by a later version.
  static func isUnsupported(_ text: String) -> Bool {
    ["ws", "wss"].contains { text.hasPrefix("\($0)://") }
  }

  /// Whether the connection is to be secure, by the URL's scheme.
  enum Scheme: String {
    case plain = "mqtt"
    case secure = "mqtts"

    /// The port that IANA assigned.
    var standardPort: UInt16 {
      switch self {
      case .plain: 1883
      case .secure: 8883
      }
    }
  }

  /// The broker's address; an IPv6 address stands in brackets.
  static func parse(_ text: String) throws(Fault) -> (address: BrokerAddress, scheme: Scheme) {
    let form = "\(form) is expected"
    guard text.first?.isWhitespace == false, text.last?.isWhitespace == false else {
      throw Fault(what: "begins or ends with a space", expected: form)
    }
    guard let separator = text.firstRange(of: "://") else {
      throw Fault(what: "has no scheme", expected: form)
    }
    guard let scheme = Scheme(rawValue: String(text[..<separator.lowerBound])) else {
      throw Fault(what: "has an unknown scheme", expected: form)
    }
    let rest = text[separator.upperBound...]
    guard !rest.contains("@") else {
      throw Fault(
        what: "carries a user", expected: "username and password-file are keys of their own")
    }
    guard !rest.contains(where: { $0 == "/" || $0 == "?" || $0 == "#" }) else {
      throw Fault(what: "has something behind the host", expected: form)
    }
    let (host, portText) = try split(rest, form)
    if let fault = hostFault(host) {
      guard let expected = fault.expected else { throw Fault(what: "has no host", expected: form) }
      throw Fault(what: "its host \(fault.what)", expected: expected)
    }
    guard let portText else {
      return (BrokerAddress(host: String(host), port: scheme.standardPort), scheme)
    }
    let isNumber = portText.allSatisfy { $0.isASCII && $0.isNumber }
    guard isNumber, let port = UInt16(portText), port > 0 else {
      throw Fault(what: "its port is outside 1…65535", expected: nil)
    }
    return (BrokerAddress(host: String(host), port: port), scheme)
  }

  private static func split(
    _ text: Substring, _ form: String
  ) throws(Fault) -> (host: Substring, port: Substring?) {
    if text.hasPrefix("[") {
      guard let end = text.firstIndex(of: "]") else {
        throw Fault(what: "its bracket does not close", expected: form)
      }
      let host = text[text.index(after: text.startIndex)..<end]
      let tail = text[text.index(after: end)...]
      guard host.contains(":"), tail.isEmpty || tail.hasPrefix(":") else {
        throw Fault(what: "has no address in brackets", expected: form)
      }
      return (host, tail.isEmpty ? nil : tail.dropFirst())
    }
    guard let colon = text.firstIndex(of: ":") else { return (text, nil) }
    return (text[..<colon], text[text.index(after: colon)...])
  }
}
