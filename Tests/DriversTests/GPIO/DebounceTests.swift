import Telemetry
import TestSupport
import Testing

@testable import Drivers

@Suite("Debounce from the times of edges")
struct DebounceTests {
  /// The levels that held for `time`, from all edges at once, each dated by its end.
  private func model(_ edges: [Int64], time: Int64, end: Int64) -> [(Int64, Bool)] {
    var changes: [(Int64, Bool)] = []
    var level = false
    for (index, edge) in edges.enumerated() {
      let next = index + 1 < edges.count ? edges[index + 1] : end
      let now = index.isMultiple(of: 2)
      guard next - edge >= time, now != level else { continue }
      level = now
      changes.append((edge + time, now))
    }
    return changes
  }

  @Test(
    "It agrees with a look at all edges at once, however they are read",
    arguments: Seeds.given(orFirst: 300))
  func agreesWithModel(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let time = Int64.random(in: 1...50, using: &generator)
    var edges: [Int64] = []
    var last: Int64 = 0
    for _ in 0..<Int.random(in: 0...60, using: &generator) {
      last += Int64.random(in: 1...(Bool.random(using: &generator) ? 5 : 120), using: &generator)
      edges.append(last)
    }
    var line = LinePlay(.level, debounce: time)
    line.input.open(isActive: false, isDebouncedByKernel: false, at: line.time)
    line.collect()
    line.outputs = []
    for edge in edges {
      if Bool.random(using: &generator) { line.live(edge - line.now / 1_000_000) }
      line.now = edge * 1_000_000
      line.edge()
      if Bool.random(using: &generator) { line.drain() }
    }
    line.drain()
    line.live(1000)
    let expected = model(edges, time: time, end: last + 1000)
    #expect(line.transitions.map(\.isActive) == expected.map(\.1))
    #expect(
      line.transitions.map { $0.time.monotonic - LinePlay.start.monotonic } == expected.map(\.0))
    let times = line.samples.map(\.time.monotonic)
    #expect(times == times.sorted())
    #expect(line.input.statistics.suspects == 0)
    #expect(line.input.wakeTime == nil)
  }

  @Test("Equal edges closer than the debounce are bounce, further apart a loss")
  func equalEdges() {
    var line = LinePlay(.count(.rising, meter: nil), debounce: 20)
    line.open()
    line.edge(true)
    line.pass(5)
    line.edge(true)
    line.drain()
    line.live(100)
    #expect(line.input.statistics.total == 1)
    #expect(line.input.statistics.suspects == 0)
    line.edge(true)
    line.drain()
    #expect(line.events.last?.reason == "equal-edges")
    #expect(line.transitions.map(\.isActive) == [false, true, true])
  }

  @Test("A level that lost its edge counts once it held, and is not counted again")
  func lostEdge() {
    var line = LinePlay(.count(.rising, meter: nil), debounce: 20)
    line.open()
    line.isActive = true
    line.due()
    line.live(200)
    #expect(line.input.statistics.total == 1)
    #expect(line.events.last?.reason == "level-differs")
    line.edge(true)
    line.drain()
    line.live(100)
    #expect(line.input.statistics.total == 1)
  }
}
