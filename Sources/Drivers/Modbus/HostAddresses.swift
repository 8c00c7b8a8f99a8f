internal import Glibc

/// The numeric addresses of a host, in the resolver's order of preference.
///
/// libmodbus resolves names too, but reports one that does not exist as a refused connection.
/// Blocks as long as the system's resolver does.
func resolvedAddresses(ofHost host: String) throws(ConnectError) -> [String] {
  try addresses(ofHost: host, flags: AI_ADDRCONFIG)
}

/// `host` if it is an address, as the system prints it; `nil` for a name. Never blocks.
func numericAddress(_ host: String) -> String? {
  (try? addresses(ofHost: host, flags: AI_NUMERICHOST))?.first
}

private func addresses(ofHost host: String, flags: Int32) throws(ConnectError) -> [String] {
  var hints = addrinfo()
  hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
  hints.ai_flags = flags
  var list: UnsafeMutablePointer<addrinfo>?
  let code = getaddrinfo(host, nil, &hints, &list)
  guard code == 0 else {
    throw .unresolved(host: host, reason: String(cString: gai_strerror(code)))
  }
  defer { freeaddrinfo(list) }

  var addresses: [String] = []
  for entry in sequence(first: list, next: { $0?.pointee.ai_next }) {
    guard let entry else { break }
    var name = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    let code = getnameinfo(
      entry.pointee.ai_addr, entry.pointee.ai_addrlen, &name, socklen_t(name.count), nil, 0,
      NI_NUMERICHOST)
    guard code == 0 else { continue }
    let bytes = name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    addresses.append(String(decoding: bytes, as: UTF8.self))
  }
  return addresses
}
