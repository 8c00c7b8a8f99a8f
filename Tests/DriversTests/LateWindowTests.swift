import Telemetry
import Testing

@testable import Drivers

/// When a bus on a serial line asks again after an answer that did not come.
@Suite("Late window")
struct LateWindowTests {
  private let line = SerialLine(path: "/dev/ttyS1", baud: 9600)
  private let timeout: Int64 = 500

  private func device(_ unit: UInt8, _ points: ModbusPoint...) -> ModbusDevice {
    ModbusDevice(name: "unit-\(unit)", unit: unit, points: points)
  }

  /// The first request to unit 1 is lost.
  private func play(_ devices: ModbusDevice..., tcp: Bool = false) -> Play {
    var definition = bus(line, timeout: timeout)
    if tcp { definition.endpoint = .tcp(host: "127.0.0.1", port: 502) }
    definition.devices = devices
    return Play(definition) { [timeout] request, now in
      request.unit == 1 && now < 10
        ? (.failure(.timeout(brokeOff: false)), timeout) : (values(request), 20)
    }
  }

  @Test("A request like the one that was lost waits twice the time-out; its cycles stay accounted")
  func holdsBack() {
    var play = play(device(1, point(0, every: 1000)), device(2, point(0, every: 1000)))
    play.run(until: 4000)
    // Lost from 1 to 501; the cycle of 1000 is asked at 1501.
    #expect(play.asked.filter { $0.unit == 1 }.map(\.at) == [1, 1501, 2000, 3000])
    #expect(play.asked.filter { $0.unit == 2 }.map(\.at) == [501, 1000, 2020, 3020])
    #expect(play.reasons(of: "unit-1") == [.timeout, nil, nil, nil])
    #expect(play.reasons(of: "unit-2") == [nil, nil, nil, nil])
  }

  @Test("So does one whose answer may still come behind noise or over a new connection")
  func holdsBackWhatMayStillCome() {
    for failure in [TransactionError.noise, .closed(reason: "pulled")] {
      var definition = bus(line, timeout: timeout)
      definition.devices = [device(1, point(0, every: 100))]
      var play = Play(definition) { request, now in
        now < 10 ? (.failure(failure), 20) : (values(request), 20)
      }
      play.run(until: 1500)
      // Lost from 1 to 21.
      #expect(play.asked.prefix(2).map(\.at) == [1, 1021], "\(failure)")
    }
    var definition = bus(line, timeout: timeout)
    definition.devices = [device(1, point(0, every: 100))]
    // A damaged answer has come.
    var play = Play(definition) { request, now in
      now < 10 ? (.failure(.wrongChecksum), 20) : (values(request), 20)
    }
    play.run(until: 500)
    #expect(play.asked.prefix(2).map(\.at) == [1, 100])
  }

  @Test("A shorter period misses cycles while it waits, each with its reason")
  func accountsForWaiting() {
    var play = play(device(1, point(0, every: 250)))
    play.run(until: 2000)
    #expect(play.asked.map(\.at) == [1, 1501, 1750])
    // Due at 0 (lost), 250 … 1250 (not read), 1500 and 1750.
    let reasons = play.reasons(of: "unit-1")
    #expect(reasons == [.timeout] + [BadReason?](repeating: .notRead, count: 5) + [nil, nil])
  }

  @Test("Another function or answer length need not wait, and TCP never does")
  func letsOthersPass() {
    let other = point("p", .input, 0, every: 1000)
    let longer = point(100, .uint32, every: 1000)
    var play = play(device(1, point(0, every: 1000), longer, other))
    play.run(until: 2900)
    let asked = play.asked.map { ($0.addresses.lowerBound, $0.addresses.count, $0.at) }
    // Only the first is lost; the others of the same cycle follow at once.
    #expect(asked.prefix(3).map(\.2) == [1, 501, 521])
    #expect(asked.filter { $0.0 == 0 && $0.2 > 600 && $0.2 < 1600 }.map(\.2) == [1000, 1501])
    var tcp = self.play(device(1, point(0, every: 1000)), tcp: true)
    tcp.run(until: 1100)
    #expect(tcp.asked.map(\.at) == [1, 1000])
  }

  @Test("A port is opened anew only when nothing has answered for long")
  func keepsThePortOpen() {
    var definition = bus(line, timeout: timeout)
    definition.devices = [device(1, point(0, every: 1000))]
    var play = Play(definition) { [timeout] _, _ in
      (.failure(.timeout(brokeOff: false)), timeout)
    }
    play.run(until: 29_000)
    #expect(play.connects == [0])
    play.run(until: 60_000)
    #expect(play.connects.count == 2)
    #expect(play.states(of: "line") == ["open"])
    #expect(Set(play.reasons(of: "unit-1")).isSubset(of: [.timeout, .offline, .notRead]))
    #expect(play.reasons(of: "unit-1").count >= 59)
  }
}
