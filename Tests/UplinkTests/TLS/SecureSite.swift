import Glibc
import MQTT
import TestSupport

@testable import Uplink

/// A broker that demands certificates, with all files, right to begin with. A test makes one of
/// them wrong and mends it again.
final class SecureSite {
  /// The files of both sides.
  enum File: String, CaseIterable {
    case brokerAuthority = "broker-ca.pem"
    case brokerCertificate = "broker.crt"
    case brokerKey = "broker.key"
    case ca = "ca.pem"
    case certificate = "gw.crt"
    case key = "gw.key"
  }

  let authority: Authority
  let port: UInt16
  private let directory: TemporaryDirectory
  private var broker: Broker?

  init() throws {
    authority = try Authority("Mine authority")
    directory = try TemporaryDirectory()
    port = try LoopbackPorts.free()
    let brokerIdentity = try authority.issue("broker.example")
    let identity = try authority.issue("gw-1")
    try put(authority.certificate, .brokerAuthority, .ca)
    try put(brokerIdentity.certificate, .brokerCertificate)
    try put(brokerIdentity.key, .brokerKey)
    try put(identity.certificate, .certificate)
    try put(identity.key, .key)
  }

  func path(_ file: File) -> String { directory.file(file.rawValue) }

  func put(_ content: String, _ files: File...) throws {
    for file in files {
      // In one step and the key for its owner only, as files are installed.
      let new = path(file) + ".new"
      try write(content, to: new)
      chmod(new, file == .key ? 0o600 : 0o644)
      rename(new, path(file))
    }
  }

  /// Starts the broker on its port, in place of one that runs. `options` are further lines of its
  /// configuration.
  func startBroker(
    demandsCertificate: Bool = true, speaksTLS: Bool = true, options: [String] = []
  ) throws {
    broker?.kill()
    var lines = options
    if speaksTLS {
      lines += [
        "cafile \(path(.brokerAuthority))", "certfile \(path(.brokerCertificate))",
        "keyfile \(path(.brokerKey))", "require_certificate \(demandsCertificate)",
      ]
    }
    broker = try Broker(options: lines, port: port)
  }

  func stopBroker() {
    broker?.kill()
    broker = nil
  }

  var runningBroker: Broker? { broker }

  /// The client's settings.
  func settings(showsCertificate: Bool = true) -> TLSSettings {
    TLSSettings(
      caFile: path(.ca),
      identity: showsCertificate
        ? TLSSettings.Identity(certificateFile: path(.certificate), keyFile: path(.key)) : nil)
  }

  /// A destination at this broker with a batch to deliver.
  func destination(
    host: String = "127.0.0.1", version: MQTTVersion = .v5, showsCertificate: Bool = true
  ) throws -> Destination {
    let destination = try Destination(
      ports: [port], tls: settings(showsCertificate: showsCertificate), version: version,
      host: host)
    destination.append(.data)
    return destination
  }
}
