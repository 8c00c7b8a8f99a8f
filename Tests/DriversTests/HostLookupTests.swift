import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Drivers

/// A resolver that answers when it is let.
private final class HeldResolver: Sendable {
  private let answers = Monitor<[HostLookup.Answer]>([])
  private let questions = Monitor(0)

  var asked: Int { questions.withLock { $0 } }

  func answer(_ answer: HostLookup.Answer) { answers.update { $0.append(answer) } }

  func lookup() -> HostLookup {
    HostLookup { [answers, questions] host in
      questions.update { $0 += 1 }
      let answer: HostLookup.Answer? = answers.wait(atMost: patienceSeconds) {
        $0.isEmpty ? nil : $0.removeFirst()
      }
      return answer ?? .failure(.unresolved(host: host, reason: "the test has ended"))
    }
  }
}

@Suite("Host lookup", .ownThread)
struct HostLookupTests {
  @Test("An address is not looked up", arguments: ["127.0.0.1", "::1"])
  func numeric(_ host: String) throws {
    let resolver = HeldResolver()
    #expect(try resolver.lookup().addresses(of: host) == [host])
    #expect(resolver.asked == 0)
  }

  @Test("Whoever asks again waits for the question under way; a new one follows its answer")
  func oneAtATime() throws {
    let resolver = HeldResolver()
    let lookup = resolver.lookup()
    for _ in 0..<3 {
      #expect(throws: ConnectError.self) {
        _ = try lookup.addresses(of: "station.example", within: .milliseconds(20))
      }
    }
    try waitUntil("it is asked") { resolver.asked > 0 }
    #expect(resolver.asked == 1)
    resolver.answer(.success(["10.0.0.1"]))
    let patience = Duration.seconds(patienceSeconds)
    #expect(try lookup.addresses(of: "station.example", within: patience) == ["10.0.0.1"])
    resolver.answer(.failure(.unresolved(host: "station.example", reason: "unknown")))
    #expect(throws: ConnectError.unresolved(host: "station.example", reason: "unknown")) {
      _ = try lookup.addresses(of: "station.example", within: patience)
    }
    #expect(resolver.asked == 2)
  }

  @Test("A bus whose name nobody looks up says so each cycle, and is read once it is known")
  func bus() async throws {
    let slave = try LibmodbusSlave(.init(holdings: [7]))
    defer { slave.stop() }
    let resolver = HeldResolver()
    let sink = RecordingSink()
    let definition = ModbusBusDefinition(
      name: "station", endpoint: .tcp(host: "station.example", port: slave.port),
      timeoutMilliseconds: 1000, devices: [device("d", unit: 1, points: [point(0, every: 100)])])
    let bus = try ModbusBus(
      definition: definition, sink: sink, clock: KernelClock(), heartbeat: nil,
      lookup: resolver.lookup())
    async let _ = bus.run()
    try await waitUntil("cycles of two attempts") { sink.outcomes(of: "d").count >= 40 }
    #expect(Set(sink.outcomes(of: "d")) == [.bad(.busClosed, raw: nil)])
    #expect(
      sink.events.first { $0.source == "station" }?.stateDetail
        == StateDetail(
          state: "closed", reason: "resolve station.example: no answer from the resolver yet"))
    #expect(resolver.asked == 1)
    resolver.answer(.success(["127.0.0.1"]))
    try await waitUntil("values") { sink.states(of: "station") == ["closed", "open"] }
  }

  @Test("A bus is given the time that answers take on a slow line before it counts as stuck")
  func slowLine() {
    let line = SerialLine(path: "/dev/ttyS1", baud: 300)
    let definition = ModbusBusDefinition(
      name: "line", endpoint: .rtu(line), timeoutMilliseconds: 500, devices: [])
    // The time-out until it begins, and 125 registers.
    let answer = line.microseconds(ofCharacters: 255) / 1000
    #expect(answer > 9_000)
    #expect(definition.workMilliseconds > 2 * 500 + answer + 5_000)
  }
}
