import MQTT
import Testing
import Uplink

@testable import EdgeAgent

@Suite("Destinations over TLS")
struct TLSConfigurationTests {
  @Test("mqtts:// has its own port, and its files reach the uplink")
  func files() throws {
    let configuration = try Fixtures.load(try Fixtures.bytes("valid/tls.yaml"))
    let province = configuration.uplinks[0]
    let expected = TLSSettings(
      caFile: "/etc/edge-agent/ca.pem",
      identity: TLSSettings.Identity(
        certificateFile: "/etc/edge-agent/gw.crt", keyFile: "/etc/edge-agent/gw.key"))
    #expect(province.tls == expected)
    #expect(province.brokerURLs == ["mqtts://broker.example:8883", "mqtts://[2001:db8::7]:8884"])
    let settings = UplinkSettings(province, gateway: "gw-1")
    #expect(settings.tls == expected)
    #expect(settings.endpoints.map(\.port) == [8883, 8884])
  }

  @Test("Without files mqtts:// trusts the system's authorities, and mqtt:// is not secured")
  func systemAuthorities() throws {
    let configuration = try Fixtures.load(try Fixtures.bytes("valid/tls.yaml"))
    #expect(configuration.uplinks[1].tls == TLSSettings())
    #expect(configuration.uplinks[2].tls == nil)
    #expect(configuration.uplinks[2].brokerURLs == ["mqtt://10.0.0.2:1883"])
  }

  @Test("The plan tells whom a destination trusts and what it shows")
  func plan() throws {
    let text = AgentPlan(try Fixtures.load(try Fixtures.bytes("valid/tls.yaml"))).text
    #expect(
      text.contains("trusting /etc/edge-agent/ca.pem, shows /etc/edge-agent/gw.crt, MQTT 5"))
    #expect(text.contains("trusting the system's authorities, shows no certificate, MQTT 5"))
    #expect(text.contains("mqtt://10.0.0.2:1883, MQTT 5"))
  }
}
