import Glibc
import LinuxSystem
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
    ports = try #require(started.wait(atMost: 10) { $0 })
    self.stop = stop
    self.end = end
  }

  /// Stops it and waits until it has ended; its truth is in the file then.
  func finish() throws {
    stop.signal()
    let failure = try #require(end.wait(atMost: 10) { $0 })
    #expect(failure == nil)
  }

  deinit { stop.signal() }
}

/// A directory that is removed with this object.
final class TemporaryDirectory {
  let path: String

  init() throws {
    var template = Array("/tmp/mine-simulator-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  func file(_ name: String) -> String { path + "/" + name }

  deinit {
    guard let directory = opendir(path) else { return }
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      unlink(file(name))
    }
    closedir(directory)
    rmdir(path)
  }
}

/// The lines of a text file; none if it is missing.
func lines(of path: String) -> [String] {
  let descriptor = open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { return [] }
  defer { close(descriptor) }
  var bytes: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 65_536)
  while true {
    let count = read(descriptor, &chunk, chunk.count)
    guard count > 0 else { break }
    bytes += chunk[..<count]
  }
  return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
}

/// Asks until there is a result, for ten seconds.
func eventually<Result>(_ body: () throws -> Result?) throws -> Result {
  for _ in 0..<2000 {
    if let result = try body() { return result }
    usleep(5000)
  }
  return try #require(try body(), "did not come about within ten seconds")
}

/// Milliseconds of a clock that never steps.
func monotonicMilliseconds() -> Int64 { KernelClock().now().monotonic }
