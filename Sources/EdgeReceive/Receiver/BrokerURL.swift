/// Where a broker is: `mqtt://host[:port]`, or `mqtts://host[:port]` for TLS.
struct BrokerURL: Sendable, Hashable {
  /// The ports that IANA assigned to MQTT without and with TLS.
  static let portDefault: UInt16 = 1883
  static let securePortDefault: UInt16 = 8883

  /// Host name or address, an IPv6 address without its brackets.
  var host: String
  var port: UInt16
  /// Whether the scheme is `mqtts`.
  var isSecure: Bool

  /// Takes `text` apart; says what is wrong with it.
  init(_ text: String) throws(UsageProblem) {
    guard let scheme = ["mqtt://", "mqtts://"].first(where: text.hasPrefix) else {
      throw UsageProblem("--url \(text): mqtt://host[:port] or mqtts://host[:port] is expected")
    }
    isSecure = scheme == "mqtts://"
    let address = text.dropFirst(scheme.count)
    let hostEnd =
      address.hasPrefix("[")
      ? address.firstIndex(of: "]").map(address.index(after:)) ?? address.endIndex
      : address.firstIndex(of: ":") ?? address.endIndex
    let isBracketed = address.hasPrefix("[") && address[..<hostEnd].hasSuffix("]")
    host = String(isBracketed ? address[..<hostEnd].dropFirst().dropLast() : address[..<hostEnd])
    guard !host.isEmpty, !host.contains(where: { "/@?#[] ".contains($0) }) else {
      throw UsageProblem("--url \(text): a host is expected after \(scheme), and nothing after it")
    }
    let rest = address[hostEnd...]
    guard !rest.isEmpty else {
      port = isSecure ? Self.securePortDefault : Self.portDefault
      return
    }
    guard rest.hasPrefix(":"), let number = UInt16(rest.dropFirst()), number > 0 else {
      throw UsageProblem(
        "--url \(text): a port of 1…65535 is expected, not \"\(rest.dropFirst())\"")
    }
    port = number
  }
}

/// A command line that can't be carried out: what is wrong and what is expected.
struct UsageProblem: Error, Sendable, Hashable, CustomStringConvertible {
  var description: String

  init(_ description: String) { self.description = description }
}
