import Testing

@testable import MQTT

@Suite("What was seen of a secure connection")
struct TLSObservationTests {
  private func observation(
    hasIdentity: Bool = false, _ change: (inout TLSObservation) -> Void
  ) -> TLSObservation {
    var observation = TLSObservation(host: "broker.example", hasIdentity: hasIdentity)
    observation.hasAnswer = true
    change(&observation)
    return observation
  }

  @Test("A connection that ends after the handshake without an alert ended for another reason")
  func established() {
    #expect(observation { $0.isEstablished = true }.failure == nil)
    // Something that was wrong on the way and got right, such as a first write that had to wait.
    #expect(
      observation {
        $0.isEstablished = true
        $0.hasAnswer = false
        $0.error = 1
      }.failure == nil)
  }

  @Test("A broker that leaves in the middle of the handshake is no fault of TLS")
  func brokenOff() {
    #expect(observation { _ in }.failure == nil)
    #expect(observation { $0.hasAnswer = false }.failure == .notSpoken)
  }

  @Test(
    "Old alerts mean a missing certificate only if one was asked for and none is there",
    arguments: [UInt8(40), 41, 42])
  func standIns(alert: UInt8) {
    let missing = observation {
      $0.isIdentityAskedFor = true
      $0.alert = alert
    }
    #expect(missing.failure == .clientCertificateRequired)
    let shown = observation(hasIdentity: true) {
      $0.isIdentityAskedFor = true
      $0.alert = alert
    }
    #expect(shown.failure != .clientCertificateRequired)
    let notAsked = observation { $0.alert = alert }
    #expect(notAsked.failure != .clientCertificateRequired)
  }

  @Test(
    "Alerts about certificates speak of ours only if we showed one",
    arguments: [UInt8(43), 44, 45, 46, 48])
  func certificateAlerts(alert: UInt8) throws {
    let shown = try #require(observation(hasIdentity: true) { $0.alert = alert }.failure)
    let isExpiry = shown == .clientCertificateExpired
    #expect(isExpiry == (alert == 45))
    if !isExpiry, case .clientCertificateRefused = shown {} else { #expect(isExpiry) }
    guard case .handshake = observation({ $0.alert = alert }).failure else {
      Issue.record("an alert about no certificate of ours")
      return
    }
  }

  @Test("Every finding of OpenSSL about a certificate refuses the connection")
  func findings() {
    for code in Int32(1)...94 {
      #expect(observation { $0.verification = code }.failure != nil)
    }
  }
}
