import Telemetry
import TestSupport
import Testing

@testable import Uplink

@Suite("The words for what is wrong")
struct FaultWordsTests {
  @Test("Each is explained in docs/payloads.md", arguments: UplinkFault.allCases)
  func documented(fault: UplinkFault) {
    let section =
      text(of: Programs.sourceTree + "/docs/payloads.md")
      .split(separator: "### Faults of a destination").last ?? ""
    #expect(section.contains("`\(fault.rawValue)`"))
  }

  @Test("Only a doubtful clock makes a certificate's time doubtful")
  func doubt() {
    let release = UplinkFault.earliestPossibleTime
    func seen(_ fault: UplinkFault, at wall: Int64, _ clock: ClockState) -> UplinkFault {
      fault.seen(at: Timestamp(monotonic: 0, offset: wall, clock: clock))
    }
    #expect(seen(.brokerCertificateExpired, at: release, .synced) == .brokerCertificateExpired)
    #expect(
      seen(.brokerCertificateExpired, at: release, .unsynced) == .brokerCertificateExpiredOrClock)
    #expect(
      seen(.brokerCertificateNotYetValid, at: release - 1, .synced)
        == .brokerCertificateNotYetValidOrClock)
    #expect(seen(.brokerCertificateName, at: 0, .unsynced) == .brokerCertificateName)
  }
}
