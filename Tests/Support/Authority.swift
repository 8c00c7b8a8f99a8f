/// An authority that vouches for certificates, made with the `openssl` program.
public final class Authority {
  /// A time as openssl writes it: far in the past, or in the future.
  public enum Moment: String, Sendable {
    case longAgo = "20200101000000Z"
    case lastYear = "20250101000000Z"
    case far = "20490101000000Z"
    case farther = "20491231000000Z"
  }

  private let directory: TemporaryDirectory

  /// The authority's own certificate.
  public var certificate: String { text(of: directory.file("ca.crt")) }

  /// Makes one with a key of its own.
  public init(_ name: String) throws {
    directory = try TemporaryDirectory()
    try write("", to: directory.file("index"))
    try write("01\n", to: directory.file("serial"))
    try write(
      """
      [ca]
      default_ca = authority
      [authority]
      database = \(directory.file("index"))
      serial = \(directory.file("serial"))
      new_certs_dir = \(directory.path)
      certificate = \(directory.file("ca.crt"))
      private_key = \(directory.file("ca.key"))
      default_md = sha256
      policy = any
      unique_subject = no
      [any]
      commonName = supplied

      """, to: directory.file("authority.conf"))
    try openSSL(
      ["req", "-x509", "-days", "3650", "-subj", "/CN=\(name)"]
        + ["-keyout", directory.file("ca.key"), "-out", directory.file("ca.crt")] + Self.newKey)
  }

  /// A certificate and its private key, both PEM. `names` as in `DNS:localhost,IP:127.0.0.1`.
  public func issue(
    _ subject: String, names: String = "DNS:localhost,IP:127.0.0.1",
    from start: Moment = .longAgo, until end: Moment = .far
  ) throws -> (certificate: String, key: String) {
    let (key, request) = (directory.file("\(subject).key"), directory.file("\(subject).csr"))
    let (certificate, extensions) = (directory.file("\(subject).crt"), directory.file("names"))
    try openSSL(
      ["req", "-subj", "/CN=\(subject)", "-keyout", key, "-out", request] + Self.newKey)
    try write("subjectAltName = \(names)\n", to: extensions)
    try openSSL(
      ["ca", "-batch", "-notext", "-config", directory.file("authority.conf")]
        + ["-startdate", start.rawValue, "-enddate", end.rawValue]
        + ["-extfile", extensions, "-in", request, "-out", certificate])
    return (text(of: certificate), text(of: key))
  }

  // An elliptic curve: made in a moment.
  private static let newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
}

/// Runs the `openssl` program.
public func openSSL(_ arguments: [String]) throws {
  let result = try ChildProcess.run("openssl", arguments)
  guard result.status == 0 else {
    throw WaitedInVain("openssl \(arguments[0]): \(result.errors)")
  }
}
