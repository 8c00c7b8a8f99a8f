/// Parsing of `mqtt://HOST[:PORT]`.
enum BrokerURL {
  /// Well-known port of MQTT without TLS.
  static let standardPort: UInt16 = 1883

  /// Why a text is no address of a broker. Never quotes the text: it may hold a password.
  struct Fault: Error, Hashable {
    var what: String
    var expected: String?
  }

  /// Whether a URL could be understood by a later version.
  static func isUnsupported(_ text: String) -> Bool {
    ["mqtts", "ws", "wss"].contains { text.hasPrefix("\($0)://") }
  }

  /// The broker's address; an IPv6 address stands in brackets.
  static func parse(_ text: String) throws(Fault) -> BrokerAddress {
    let form = "mqtt://HOST or mqtt://HOST:PORT is expected"
    guard let scheme = text.range(of: "://") else {
      throw Fault(what: "has no scheme", expected: form)
    }
    guard text[..<scheme.lowerBound] == "mqtt" else {
      throw Fault(what: "has an unknown scheme", expected: form)
    }
    let rest = text[scheme.upperBound...]
    guard !rest.contains("@") else {
      throw Fault(
        what: "carries a user", expected: "username and password-file are keys of their own")
    }
    guard !rest.contains(where: { $0 == "/" || $0 == "?" || $0 == "#" }) else {
      throw Fault(what: "has something behind the host", expected: form)
    }
    let (host, portText) = try split(rest, form)
    guard isHost(String(host)) else { throw Fault(what: "has no host", expected: form) }
    guard let portText else { return BrokerAddress(host: String(host), port: standardPort) }
    let isNumber = portText.allSatisfy { $0.isASCII && $0.isNumber }
    guard isNumber, let port = UInt16(portText), port > 0 else {
      throw Fault(what: "its port is outside 1…65535", expected: nil)
    }
    return BrokerAddress(host: String(host), port: port)
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

extension String {
  /// Where `needle` stands first; the standard library has this without Foundation as `ranges`.
  fileprivate func range(of needle: String) -> Range<String.Index>? {
    firstRange(of: needle)
  }
}
