import Telemetry
import TestSupport
import Testing

@testable import Drivers

@Suite("Counting edges")
struct EdgeCountTests {
  @Test("Rising, falling or both edges count", arguments: CountedEdges.allCases)
  func edges(counted: CountedEdges) {
    var line = LinePlay(.count(counted, meter: nil))
    line.open(true)
    line.edges(5, every: 2)
    #expect(line.input.statistics.total == [.rising: 2, .falling: 3, .both: 5][counted])
    #expect(line.states == [.countBegan])
  }

  @Test("A change is sampled at once, further ones a second later, all at the end")
  func pace() {
    var line = LinePlay(.count(.rising, meter: nil), total: 40, reason: "unclean-stop")
    #expect(
      line.events == [LineDetail(state: .countResumed, reason: "unclean-stop", count: 40)])
    line.open()
    line.pass(5000)
    line.outputs = []
    line.edges(10, every: 10)
    #expect(line.samples.map { $0.outcomes[1].outcome } == [.good(.uint(41))])
    line.live(2000)
    #expect(line.samples.map { $0.outcomes[1].outcome } == [.good(.uint(41)), .good(.uint(45))])
    line.edges(3, every: 1)
    line.input.end(at: line.time)
    line.collect()
    #expect(line.newest(1) == .good(.uint(47)))
  }

  @Test("What shows that edges are missing is told once a second, in sum")
  func sums() {
    var line = LinePlay(.count(.both, meter: nil))
    line.open()
    for number in [1, 3, 5, 9] as [UInt32] {
      line.edge(sequence: number)
      line.drain()
      line.pass(1)
    }
    #expect(line.events.dropFirst().map(\.lost) == [1])
    line.live(1100)
    #expect(line.events.dropFirst().map(\.lost) == [1, 4])
    #expect(line.input.statistics.total == 4)
    line.pass(2000)
    line.edge(sequence: 10)
    line.drain(isFull: true)
    #expect(line.events.last?.reason == "queue-full")
    line.pass(10)
    line.edge(line.isActive, sequence: 11)
    line.input.end(at: line.time)
    line.collect()
    #expect(line.events.last?.reason == "equal-edges")
    #expect(line.events.last?.count == 5)
  }

  @Test("Losses that go on are told ever more seldom, and at once again after a rest")
  func quiet() {
    var report = EdgeLossReport()
    var told: [Int64] = []
    for second in 0...300 {
      report.note(.equalEdges, lost: 1)
      if report.take(at: Int64(second) * 1000) != nil { told.append(Int64(second)) }
    }
    #expect(told == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243])
    let pending = report.take(at: 303_000)
    #expect(pending?.lost == 57)
    report.note(.equalEdges, lost: nil)
    #expect(report.take(at: 423_000) != nil)
    report.note(.equalEdges, lost: nil)
    #expect(report.wakeTime == 424_000)
  }

  @Test("A gate learns of each second's losses, however long they go on")
  func gateLosses() {
    var report = EdgeLossReport(isOfGate: true)
    var told: [Int64] = []
    for second in 0...120 {
      report.note(.equalEdges, lost: 1)
      if report.take(at: Int64(second) * 1000) != nil { told.append(Int64(second)) }
    }
    #expect(told == Array(0...120))
  }

  @Test("The kernel's number of an event runs over without a gap, and never counts backwards")
  func wrappingSequence() {
    var sequence = EdgeSequence()
    #expect(sequence.lost(before: 1) == 0)
    #expect(sequence.lost(before: 0x7FFF_FFFF) == 0x7FFF_FFFD)
    #expect(sequence.lost(before: .max) == 0x7FFF_FFFF)
    #expect(sequence.lost(before: 0) == 0)
    #expect(sequence.lost(before: 1) == 0)
    #expect(sequence.lost(before: 1) == 0)
    #expect(sequence.lost(before: 2) == 0)
  }

  /// How edges get from the line to the agent.
  private enum Kernel: CaseIterable {
    /// The queue of 16 drops what comes while it is full.
    case shortQueue
    /// The queue drops the oldest; numbers show it.
    case numbered
    /// Single edges are lost without a trace of their own, but no two in a row: that nobody sees.
    case forgetful
    /// Some interrupts are served late: the event tells the level of that later moment.
    case late
  }

  private struct World {
    var generator: SeededGenerator
    var kernel: Kernel
    var truth: UInt64 = 0
    var queue: [LineEdge] = []
    var number: UInt32 = 0
    var hasForgotten = false

    mutating func edge(_ line: inout LinePlay, counted: CountedEdges) {
      line.isActive.toggle()
      if counted == .both || line.isActive == (counted == .rising) { truth += 1 }
      number += 1
      switch kernel {
      case .shortQueue:
        guard queue.count < 16 else { return }
      case .numbered:
        if queue.count == 16 { queue.removeFirst() }
      case .forgetful:
        hasForgotten = !hasForgotten && Int.random(in: 0..<40, using: &generator) == 0
        if hasForgotten { return }
      case .late: break
      }
      queue.append(
        LineEdge(
          isRising: line.isActive, nanoseconds: line.now,
          sequence: kernel == .numbered ? number : nil))
      if kernel == .late, queue.count > 1, Int.random(in: 0..<40, using: &generator) == 0 {
        queue[queue.count - 2].isRising = line.isActive
      }
    }

    mutating func drain(_ line: inout LinePlay) {
      let isFull = kernel == .shortQueue && queue.count == 16
      for edge in queue {
        line.input.take(
          edge, at: LinePlay.start.advanced(by: edge.nanoseconds / 1_000_000))
      }
      queue = []
      line.drain(isFull: isFull)
    }
  }

  @Test(
    "A count is never above the truth and never below it in silence, also over restarts",
    arguments: Seeds.given(orFirst: 200))
  func property(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let counted = try #require(CountedEdges.allCases.randomElement(using: &generator))
    let kernel = try #require(Kernel.allCases.randomElement(using: &generator))
    var world = World(generator: generator, kernel: kernel)
    var line = LinePlay(.count(counted, meter: nil))
    line.open()
    var reported: UInt64 = 0
    for _ in 0..<400 {
      switch Int.random(in: 0..<100, using: &world.generator) {
      case 0..<80:
        for _ in 0..<Int.random(in: 1...6, using: &world.generator) {
          line.pass(.random(in: 0.01...3, using: &world.generator))
          world.edge(&line, counted: counted)
        }
        if Bool.random(using: &world.generator) { world.drain(&line) }
      case 80..<95:
        line.pass(.random(in: 1...700, using: &world.generator))
        world.drain(&line)
        line.due()
      case 95..<97:
        world.drain(&line)
        line.fail(.lineMissing)
        line.pass(10)
        (world.queue, world.number) = ([], 0)
        line.open(line.isActive)
      default:
        world.drain(&line)
        line.live(25)
        let isSuspect = line.input.statistics.suspects > 0
        try #require(line.input.statistics.total == world.truth || isSuspect)
        line.input.end(at: line.time)
        line.collect()
        (world.queue, world.number) = ([], 0)
        let known = line.input.statistics.total
        let before = line
        line = LinePlay(.count(counted, meter: nil), total: known, reason: "stop")
        (line.now, line.isActive) = (before.now, before.isActive)
        line.open(line.isActive)
        // From here on suspicion is that of the new one.
        world.truth = known ?? 0
      }
      let total = try #require(line.input.statistics.total)
      try #require(total <= world.truth)
      for sample in line.samples {
        guard case .good(.uint(let count)) = sample.outcomes[1].outcome else { continue }
        try #require(count >= reported)
        reported = count
      }
      line.outputs.removeAll { if case .sample = $0 { true } else { false } }
    }
    world.drain(&line)
    line.live(25)
    let isSuspect = line.states.contains(.countSuspect)
    #expect(isSuspect == (line.input.statistics.suspects > 0))
    #expect(line.input.statistics.total == world.truth || isSuspect)
  }
}
