import ConfigurationFile
import Drivers
import Foundation
import TestSupport
import Testing

@testable import EdgeAgent

@Suite("Manners of buses in a configuration")
struct BusMannersTests {
  private func configuration() throws -> AgentConfiguration {
    try Fixtures.load(try Fixtures.bytes("valid/manners.yaml"))
  }

  @Test("Every key arrives where it belongs")
  func keys() throws {
    let buses = try configuration().buses
    let kernel = RS485Direction(
      by: .kernel, levelOnSend: .low, delayBeforeMilliseconds: 1, delayAfterMilliseconds: 2)
    #expect(
      buses.map(\.endpoint) == [
        .rtu(
          SerialLine(
            path: "/dev/ttyS1", baud: 4800, parity: .mark, dataBits: 7, direction: kernel,
            echoes: true)),
        .rtu(
          SerialLine(
            path: "/dev/ttyS2", baud: 921_600, parity: .space,
            direction: RS485Direction(by: .rts))),
        .rtuOverTCP(RTUOverTCP(host: "10.20.0.9", port: 4001, baud: 9600, echoes: true)),
        .rtuOverTCP(RTUOverTCP(host: "10.20.0.9", port: 4002)),
        .tcp(host: "10.20.0.5", port: 502), .tcp(host: "10.20.0.5", port: 502),
      ])
    var manners = [BusManners](repeating: BusManners(), count: 6)
    manners[0].pauseMilliseconds = 20
    manners[0].pauseAfterConnectMilliseconds = 2_000
    manners[3].keepAliveMilliseconds = nil
    manners[4].connectTimeoutMilliseconds = 500
    manners[4].keepAliveMilliseconds = 10_000
    manners[4].idleTimeoutMilliseconds = 300_000
    manners[5].closesAfterCycle = true
    #expect(buses.map(\.manners) == manners)
    #expect(buses[0].devices.map(\.turnaroundMilliseconds) == [1_500])
    #expect(buses[0].devices.map(\.pauseMilliseconds) == [50])
  }

  @Test("A profile says what its kind of device needs, and a device may say otherwise")
  func profile() throws {
    let boards = try TemporaryDirectory()
    try FileManager.default.createDirectory(
      atPath: boards.path + "/devices/acme", withIntermediateDirectories: true)
    let profile = """
      description: a slow one
      turnaround: 300ms
      pause: 20ms
      points: { wind: { input: 2, type: uint16, unit: none } }
      """
    try profile.write(
      toFile: boards.path + "/devices/acme/slow.yaml", atomically: true, encoding: .utf8)
    let text = """
      gateway: { id: gw-1, mine: 0520, region: 520201 }
      uplinks: { province: { url: mqtt://broker.example } }
      buses: { station: { tcp: { host: 10.20.0.5 } } }
      devices:
        a: { bus: station, unit: 1, profile: acme/slow }
        b: { bus: station, unit: 2, profile: acme/slow, pause: 0s }
      """
    let devices = try AgentConfiguration.load(
      Array(text.utf8), file: "FILE", boards: BoardDirectories([boards.path])
    ).buses[0].devices
    #expect(devices.map(\.turnaroundMilliseconds) == [300, 300])
    #expect(devices.map(\.pauseMilliseconds) == [20, 0])
    // The plan reckons with it, and a silent one costs as much more.
    let plan = BusPlan(
      ModbusBusDefinition(
        name: "station", endpoint: .tcp(host: "a", port: 502), timeoutMilliseconds: 1000,
        devices: devices))
    #expect(plan.devices[1].milliseconds(of: plan.devices[1].requests[0]) >= 300)
    #expect(plan.devices[1].silentMilliseconds >= 1300)
  }

  @Test("check shows what differs from the defaults on the bus's line, and warns of 7 bits")
  func plan() throws {
    let text = AgentPlan(try configuration()).text
    for line in [
      "bus line-1: rtu /dev/ttyS1, 4800 Bd, 7 data bits, mark parity, 1 stop bit, direction by the "
        + "kernel, RTS low on send, 1 ms before, 2 ms after, echo, timeout 1 s, "
        + "pause-after-connect 2 s, pause 20 ms, 1 device",
      "  WARNING: 7 data bits cut every byte from 0x80 on; Modbus RTU needs 8",
      "  meter, unit 3, turnaround 1500 ms, pause 50 ms",
      "bus line-2: rtu /dev/ttyS2, 921600 Bd, 8 data bits, space parity, 1 stop bit, direction by "
        + "RTS, RTS high on send, timeout 1 s, 0 devices",
      "bus serial-server: rtu over tcp 10.20.0.9:4001, 9600 Bd, echo, timeout 1 s, 0 devices",
      "bus plain-server: rtu over tcp 10.20.0.9:4002, timeout 1 s, no keep-alive, 0 devices",
      "bus plc-1: tcp 10.20.0.5:502, timeout 1 s, connect-timeout 500 ms, idle-timeout 5 min, "
        + "keep-alive 10 s, 0 devices",
      "bus plc-2: tcp 10.20.0.5:502, timeout 1 s, close-after-cycle, 0 devices",
      "  shares its station with plc-1, a connection each at the same time: one that takes fewer "
        + "drops the older or refuses the newer",
    ] {
      #expect(text.contains(line + "\n"), "\(line)\n\(text)")
    }
  }
}
