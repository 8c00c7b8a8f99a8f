import LinuxSystem
import TestSupport
import Testing

@testable import EdgeAgent

@Suite("The supervisor")
struct SupervisorTests {
  private final class Loops: Supervised {
    let journal = Heartbeat(name: "journal")
    let province = Heartbeat(name: "destination province")
    let station = Heartbeat(name: "station")
    let gpio = Heartbeat(name: "gpio")
    var statusLine = "healthy"
    var told: [String] = []

    var vitalLoops: [Heartbeat] { [journal, province] }
    var busLoops: [Heartbeat] { [station] }
    var lineLoops: [Heartbeat] = []

    func vitalLoop(_ name: String, isStuck: Bool) { told.append("\(name) \(isStuck)") }
    func bus(_ name: String, isStuck: Bool) { told.append("bus \(name) \(isStuck)") }
    func lines(areStuck: Bool) { told.append("lines \(areStuck)") }

    func turn(at now: Int64) {
      for loop in vitalLoops + busLoops + lineLoops { loop.turn(nextWithin: 60_000, now: now) }
    }
  }

  private let loops = Loops()
  private let socket: NotifySocket
  private let supervisor: Supervisor
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
    let socket = try NotifySocket(directory.file("notify"))
    self.socket = socket
    let service = ServiceManager { name in
      switch name {
      case "NOTIFY_SOCKET": socket.name
      case "WATCHDOG_USEC": "20000000"
      default: nil
      }
    }
    supervisor = Supervisor(loops, service: service, now: 0)
  }

  @Test("READY is said once every loop has begun, with how it is doing, and once only")
  func ready() {
    loops.journal.turn(nextWithin: 60_000, now: 0)
    loops.province.turn(nextWithin: 60_000, now: 0)
    supervisor.look(at: 10)
    #expect(socket.count(of: "READY=1") == 0)
    loops.station.turn(nextWithin: 60_000, now: 20)
    supervisor.look(at: 20)
    supervisor.look(at: 1000)
    #expect(socket.receive().filter { $0 != "WATCHDOG=1" } == ["READY=1\nSTATUS=healthy"])
  }

  @Test("A loop that can't begin holds READY up for 5 s at most")
  func readyWithout() {
    loops.journal.turn(nextWithin: 60_000, now: 0)
    supervisor.look(at: 4999)
    #expect(socket.count(of: "READY=1") == 0)
    supervisor.look(at: 5000)
    #expect(socket.count(of: "READY=1") == 1)
  }

  @Test("STATUS is said when it changes")
  func status() {
    loops.turn(at: 0)
    supervisor.look(at: 0)
    loops.statusLine = "degraded: bus line-1: timeout"
    supervisor.look(at: 1000)
    supervisor.look(at: 2000)
    let status = socket.receive().filter { $0.hasPrefix("STATUS=") }
    #expect(status == ["STATUS=degraded: bus line-1: timeout"])
  }

  @Test("The watchdog is fed at half its time, not more often")
  func feeding() {
    loops.turn(at: 0)
    for now in stride(from: Int64(0), through: 40_000, by: 1000) { supervisor.look(at: now) }
    #expect(socket.count(of: "WATCHDOG=1") == 5)
  }

  @Test(
    "A stuck vital loop ends the feeding and is told once; when it turns again, feeding goes on")
  func stuck() {
    loops.turn(at: 0)
    loops.journal.rest()
    for now in stride(from: Int64(0), through: 60_000, by: 1000) { supervisor.look(at: now) }
    let fed = socket.count(of: "WATCHDOG=1")
    #expect(fed == 7)
    loops.station.turn(nextWithin: 600_000, now: 60_000)
    for now in stride(from: Int64(61_000), through: 120_000, by: 1000) { supervisor.look(at: now) }
    #expect(socket.count(of: "WATCHDOG=1") == fed)
    #expect(loops.told == ["destination province true"])

    loops.province.turn(nextWithin: 60_000, now: 120_500)
    supervisor.look(at: 121_000)
    supervisor.look(at: 131_000)
    #expect(socket.count(of: "WATCHDOG=1") > fed)
    #expect(loops.told == ["destination province true", "destination province false"])
  }

  @Test("A stuck bus is told and does not end the feeding")
  func stuckBus() {
    loops.turn(at: 0)
    loops.journal.rest()
    loops.province.rest()
    for now in stride(from: Int64(0), through: 120_000, by: 1000) {
      supervisor.look(at: now)
      // Its queue is short.
      socket.receive()
    }
    #expect(socket.count(of: "WATCHDOG=1") == 13)
    #expect(loops.told == ["bus station true"])
    loops.station.turn(nextWithin: 10, now: 121_000)
    supervisor.look(at: 121_000)
    #expect(loops.told == ["bus station true", "bus station false"])
  }

  @Test("A stuck loop of the lines is told and does not end the feeding; READY waits for it")
  func stuckLines() {
    loops.lineLoops = [loops.gpio]
    for loop in loops.vitalLoops + loops.busLoops { loop.turn(nextWithin: 600_000, now: 0) }
    supervisor.look(at: 10)
    #expect(socket.count(of: "READY=1") == 0)
    loops.gpio.turn(nextWithin: 5000, now: 20)
    supervisor.look(at: 20)
    #expect(socket.count(of: "READY=1") == 1)
    for now in stride(from: Int64(1000), through: 30_000, by: 1000) { supervisor.look(at: now) }
    #expect(loops.told == ["lines true"])
    #expect(socket.count(of: "WATCHDOG=1") == 3)
    loops.gpio.turn(nextWithin: 60_000, now: 30_500)
    supervisor.look(at: 31_000)
    #expect(loops.told == ["lines true", "lines false"])
  }

  @Test("A loop that is gone while it was stuck no longer counts")
  func gone() {
    var watch = LoopWatch()
    loops.province.turn(nextWithin: 10, now: 0)
    #expect(watch.look(at: [loops.province], now: 20).map(\.lateness) == [10])
    #expect(watch.stuck == ["destination province"])
    #expect(watch.look(at: [], now: 30) == [])
    #expect(watch.stuck.isEmpty)
  }
}
