import Glibc
import LinuxSystem
import MQTT
import Telemetry
import TestSupport
import Testing

@testable import Uplink

@Suite("An uplink over TLS", .ownThread)
struct TLSUplinkTests {
  @Test(
    "Certificates on both sides deliver", arguments: MQTTVersion.allCases, ["tlsv1.2", "tlsv1.3"])
  func mutual(version: MQTTVersion, tls: String) throws {
    let site = try SecureSite()
    try site.startBroker(options: ["tls_version \(tls)"])
    let destination = try site.destination(host: "localhost", version: version)
    try destination.start()
    try destination.waitUntilDelivered()
    try destination.wait(for: nil)
    #expect(destination.observer.faults == [nil])
  }

  @Test("Large batches get through although the broker does not read for a while")
  func largeBatches() throws {
    let site = try SecureSite()
    try site.startBroker()
    let destination = try site.destination()
    try destination.start()
    try destination.wait(for: nil)
    site.runningBroker?.freeze()
    for _ in 0..<200 { destination.append(.data, padding: 60_000) }
    // What is in flight fills the socket's buffers; the rest waits for the broker.
    #expect(destination.log.unacknowledged(by: destination.name) >= 200)
    site.runningBroker?.thaw()
    try destination.waitUntilDelivered()
    #expect(destination.observer.faults == [nil])
  }

  @Test("A file that is missing, unreadable or wrong has its word, and heals when it is mended")
  func files() throws {
    let site = try SecureSite()
    try site.startBroker()
    let other = try Authority("Other authority").issue("gw-1")
    let cases: [(SecureSite.File, Damage, String)] = [
      (.ca, .remove, "ca-file-missing"), (.ca, .directory, "ca-file-unreadable"),
      (.ca, .pipe, "ca-file-unreadable"), (.ca, .content("no PEM"), "ca-file-invalid"),
      (.ca, .content(""), "ca-file-invalid"),
      (.certificate, .remove, "certificate-file-missing"),
      (.certificate, .directory, "certificate-file-unreadable"),
      (.certificate, .content("no PEM"), "certificate-file-invalid"),
      (.key, .remove, "key-file-missing"), (.key, .directory, "key-file-unreadable"),
      (.key, .content("no PEM"), "key-file-invalid"), (.key, .encrypt, "key-file-invalid"),
      (.key, .mode(0o644), "key-file-exposed"), (.key, .mode(0o602), "key-file-exposed"),
      (.key, .content(other.key), "key-file-mismatch"),
    ]
    for (file, damage, word) in cases {
      let good = text(of: site.path(file))
      try damage.apply(to: site.path(file))
      let destination = try site.destination()
      try destination.start()
      try destination.wait(for: word)
      rmdir(site.path(file))
      unlink(site.path(file))
      try site.put(good, file)
      try destination.waitUntilDelivered()
      try destination.wait(for: nil)
      // Between its removal and the good one the file may have been looked for.
      let faults = destination.observer.faults.filter {
        $0 == word || $0?.hasSuffix("-file-missing") != true
      }
      #expect(faults == [word, nil])
      try destination.stopAndWait()
    }
  }

  @Test("A key that owner and group may read is taken")
  func groupMode() throws {
    let site = try SecureSite()
    try site.startBroker()
    chmod(site.path(.key), 0o640)
    let destination = try site.destination()
    try destination.start()
    try destination.waitUntilDelivered()
  }

  @Test("A broker's certificate that is not to be trusted has its word, and a new one heals")
  func brokerCertificate() throws {
    let site = try SecureSite()
    let authority = site.authority
    let stranger = try Authority("Other authority").issue("broker.example")
    let good = (
      certificate: text(of: site.path(.brokerCertificate)), key: text(of: site.path(.brokerKey))
    )
    let expired = try authority.issue("expired", until: .lastYear)
    let future = try authority.issue("future", from: .far, until: .farther)
    let cases: [((certificate: String, key: String), ClockState, String)] = [
      (stranger, .synced, "broker-certificate-unknown-ca"),
      (
        try authority.issue("named", names: "DNS:other.example,IP:10.0.0.1"), .synced,
        "broker-certificate-name"
      ),
      // An address that stands where names stand is no address.
      (
        try authority.issue("127.0.0.1", names: "DNS:127.0.0.1"), .synced,
        "broker-certificate-name"
      ),
      (expired, .synced, "broker-certificate-expired"),
      (expired, .unsynced, "broker-certificate-expired-or-clock"),
      (future, .synced, "broker-certificate-not-yet-valid"),
      (future, .unsynced, "broker-certificate-not-yet-valid-or-clock"),
    ]
    for (identity, clock, word) in cases {
      try site.put(identity.certificate, .brokerCertificate)
      try site.put(identity.key, .brokerKey)
      try site.startBroker()
      let destination = try site.destination()
      destination.clock.state = clock
      try destination.start()
      try destination.wait(for: word)
      try site.put(good.certificate, .brokerCertificate)
      try site.put(good.key, .brokerKey)
      try site.startBroker()
      try destination.waitUntilDelivered()
      try destination.wait(for: nil)
      // Between the two brokers nobody listens, and the end of the first may break a handshake off.
      let others = Set(destination.observer.faults.compactMap(\.self)).subtracting([word])
      #expect(others.isSubset(of: ["refused", "disconnected", "no-tls"]))
      try destination.stopAndWait()
    }
  }

  @Test("Where nobody listens the word is the same as without TLS")
  func absentBroker() throws {
    let site = try SecureSite()
    let destination = try site.destination()
    try destination.start()
    try destination.wait(for: "refused")
    #expect(destination.observer.faults.filter { $0 != "refused" } == [])
    try destination.stopAndWait()
  }

  @Test("An authority that is not the broker's is told from a good one, and its file heals")
  func wrongAuthority() throws {
    let site = try SecureSite()
    try site.startBroker()
    try site.put(try Authority("Other authority").certificate, .ca)
    let destination = try site.destination()
    try destination.start()
    try destination.wait(for: "broker-certificate-unknown-ca")
    try site.put(site.authority.certificate, .ca)
    try destination.waitUntilDelivered()
    #expect(destination.observer.faults.first == "broker-certificate-unknown-ca")
  }

  @Test("A certificate of ours that the broker does not take has its word, and a new one heals")
  func clientCertificate() throws {
    let site = try SecureSite()
    let good = (text(of: site.path(.certificate)), text(of: site.path(.key)))
    let cases = [
      (try Authority("Other authority").issue("gw-1"), "client-certificate-refused"),
      (try site.authority.issue("old", until: .lastYear), "client-certificate-expired"),
    ]
    for tls in ["tlsv1.2", "tlsv1.3"] {
      try site.startBroker(options: ["tls_version \(tls)"])
      for (identity, word) in cases {
        try site.put(identity.certificate, .certificate)
        try site.put(identity.key, .key)
        let destination = try site.destination()
        try destination.start()
        try destination.wait(for: word)
        try site.put(good.0, .certificate)
        try site.put(good.1, .key)
        try destination.waitUntilDelivered()
        try destination.stopAndWait()
      }
    }
  }

  @Test(
    "A broker that demands a certificate of a destination without one has its word",
    arguments: ["tlsv1.2", "tlsv1.3"])
  func certificateRequired(tls: String) throws {
    let site = try SecureSite()
    try site.startBroker(options: ["tls_version \(tls)"])
    let destination = try site.destination(showsCertificate: false)
    try destination.start()
    try destination.wait(for: "client-certificate-required")
    try site.startBroker(demandsCertificate: false, options: ["tls_version \(tls)"])
    try destination.waitUntilDelivered()
  }

  @Test("A broker that speaks no TLS has its word, and heals when it does")
  func noTLS() throws {
    let site = try SecureSite()
    try site.startBroker(speaksTLS: false)
    let destination = try site.destination()
    try destination.start()
    try destination.wait(for: "no-tls")
    try site.startBroker()
    try destination.waitUntilDelivered()
  }

  @Test("A destination without TLS at a broker with it is told as disconnected")
  func plainToSecure() throws {
    let site = try SecureSite()
    try site.startBroker()
    let destination = try Destination(ports: [site.port])
    try destination.start()
    try destination.wait(for: "disconnected")
  }

  @Test("Without a ca-file only the system's authorities are trusted")
  func systemAuthorities() throws {
    let site = try SecureSite()
    try site.startBroker(demandsCertificate: false)
    let destination = try Destination(ports: [site.port], tls: TLSSettings())
    try destination.start()
    try destination.wait(for: "broker-certificate-unknown-ca")
  }

  @Test("Of two brokers the one whose certificate is good gets everything")
  func secondBroker() throws {
    let (bad, good) = (try SecureSite(), try SecureSite())
    try bad.startBroker()
    try good.startBroker()
    let destination = try Destination(ports: [bad.port, good.port], tls: good.settings())
    destination.append(.data)
    try destination.start()
    try destination.waitUntilDelivered()
  }

  @Test("A broker that takes the connection and says nothing does not delay a stop")
  func blackHole() throws {
    let hole = try BlackHole()
    let site = try SecureSite()
    let destination = try Destination(ports: [hole.port], tls: site.settings())
    try destination.start()
    try waitUntil("a ClientHello") { hole.received.count > 100 }
    let clock = ContinuousClock()
    let start = clock.now
    destination.uplink.stop(withinMilliseconds: 700)
    #expect(destination.uplink.waitForEnd(atMostMilliseconds: 60_000))
    #expect(clock.now - start < .seconds(latenessSeconds))
    #expect(destination.observer.faults.isEmpty)
  }
}

/// Makes a file unfit.
enum Damage {
  case remove
  case directory
  case pipe
  case content(String)
  case encrypt
  case mode(UInt32)

  func apply(to path: String) throws {
    switch self {
    case .remove: unlink(path)
    case .directory:
      unlink(path)
      mkdir(path, 0o755)
    case .pipe:
      unlink(path)
      mkfifo(path, 0o600)
    case .content(let text): try write(text, to: path)
    case .encrypt:
      try openSSL(
        ["pkcs8", "-topk8", "-in", path, "-out", path + ".new", "-passout", "pass:secret"])
      rename(path + ".new", path)
      chmod(path, 0o600)
    case .mode(let mode): chmod(path, mode)
    }
  }
}
