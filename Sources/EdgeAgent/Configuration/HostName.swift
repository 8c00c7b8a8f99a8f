/// The longest name that DNS knows.
private let hostLimit = 253

/// Why a text is no host name and no address.
struct HostFault: Hashable {
  var what: String
  /// What is expected instead, where that is more than a host.
  var expected: String?
}

/// Why `text` has not the form of a host name or an address, `nil` if it has; whether the host
/// exists shows at run time.
func hostFault(_ text: some StringProtocol) -> HostFault? {
  let noHost = HostFault(what: "is not a host", expected: nil)
  guard !text.isEmpty, text.utf8.count <= hostLimit else { return noHost }
  if text.contains(":") { return isIPv6Address(String(text)) ? nil : noHost }
  let labels = text.split(separator: ".", omittingEmptySubsequences: false)
  let areLabels = labels.allSatisfy { label in
    !label.isEmpty && !label.hasPrefix("-")
      && label.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
  }
  guard areLabels, let last = labels.last else { return noHost }
  // No top-level domain is a number (RFC 3696, section 2): whoever ends so means an address.
  guard last.allSatisfy(\.isNumber), !isIPv4Address(labels) else { return nil }
  return HostFault(
    what: "is no IPv4 address", expected: "four numbers 0…255 without leading zeros are expected")
}

/// Leading zeros are refused: some programs take 010 for 8.
private func isIPv4Address(_ parts: [some StringProtocol]) -> Bool {
  parts.count == 4 && parts.allSatisfy { UInt8($0).map { "\($0)" } == String($0) }
}

/// Hexadecimal digits and colons, at least two of them, with an optional IPv4 tail or zone.
private func isIPv6Address(_ text: String) -> Bool {
  let address = text.prefix { $0 != "%" }
  return address.count { $0 == ":" } >= 2
    && address.allSatisfy { $0.isASCII && ($0.isHexDigit || $0 == ":" || $0 == ".") }
    && text[address.endIndex...].allSatisfy { $0.isASCII && !$0.isWhitespace && $0 != "/" }
}
