import Glibc
import LinuxSystem
import TestSupport
import Testing

@testable import MineSimulator

/// A server of a scenario on a thread of its own, on ports that the kernel chose.
final class RunningMine: Sendable {
  /// The port of each station.
  let ports: [UInt16]
  private let stop: EventFD
  private let end: Monitor<SystemError??>

  /// Returns when it is ready.
  init(
    _ text: String, truth: String? = nil, connectionsMax: Int = MineServer.connectionsMax
  ) throws {
    var scenario = try Scenario.decode(Array(text.utf8), file: "scenario.yaml")
    for index in scenario.stations.indices { scenario.stations[index].port = 0 }
    let stop = try EventFD()
    let started = Monitor<[UInt16]?>(nil)
    let end = Monitor<SystemError??>(nil)
    try Thread.start(named: "mine") { [scenario] in
      do throws(SystemError) {
        let server = try MineServer(
          scenario, truth: try truth.map(GroundTruth.init), connectionsMax: connectionsMax)
        let ports = server.ports
        try server.run(until: stop, seconds: nil) { started.update { $0 = ports } }
        end.update { $0 = .some(nil) }
      } catch {
        end.update { $0 = .some(error) }
        started.update { $0 = [] }
      }
    }
    ports = try #require(started.wait(atMost: patienceSeconds) { $0 })
    self.stop = stop
    self.end = end
  }

  /// Stops it and waits until it has ended; its truth is in the file then.
  func finish() throws {
    stop.signal()
    let failure = try #require(end.wait(atMost: patienceSeconds) { $0 })
    #expect(failure == nil)
  }

  deinit { stop.signal() }
}

/// Milliseconds of a clock that never steps.
func monotonicMilliseconds() -> Int64 { KernelClock().now().monotonic }
