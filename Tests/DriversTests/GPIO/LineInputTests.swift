import Telemetry
import Testing

@testable import Drivers

@Suite("A GPIO line's input")
struct LineInputTests {
  @Test("A contact is sampled when it is opened, at each edge and at each turn")
  func level() {
    var line = LinePlay()
    line.open(true)
    line.pass(10)
    line.edge()
    line.pass(3)
    line.drain()
    line.pass(900)
    line.due()
    #expect(
      line.samples.map(\.outcomes)
        == [true, false, false].map {
          [PointOutcome(point: 0, outcome: .good(.bool($0)))]
        })
    // The edge has the kernel's time, not that of who read it.
    #expect(line.samples.map { $0.time.monotonic - LinePlay.start.monotonic } == [0, 11, 914])
    #expect(line.faults == [nil])
    #expect(line.transitions.map(\.isActive) == [true, false])
    #expect(line.input.wakeTime == nil)
  }

  @Test("A transition comes before the sample of its edge, and a fault before its sample")
  func order() {
    var line = LinePlay()
    line.open()
    line.outputs = []
    line.edge()
    line.drain()
    line.fail(.lineMissing)
    let kinds = line.outputs.map { output in
      switch output {
      case .sample: "sample"
      case .event: "event"
      case .transition: "transition"
      case .fault: "fault"
      }
    }
    #expect(kinds == ["transition", "sample", "fault", "event", "sample"])
  }

  @Test("A line that was never opened, or that failed, never has a value")
  func noValueWithoutALine() {
    var line = LinePlay(.count(.rising, meter: nil), total: 7, reason: "stop")
    line.due()
    #expect(line.newest() == .bad(.notRead))
    line.fail(.lineBusy, "held by gpiomon")
    line.fail(.lineBusy, "held by gpiomon")
    line.due()
    line.edge(true)
    line.drain()
    line.live(5000)
    line.due()
    let bad = line.samples.dropFirst().map(\.outcomes)
    #expect(
      bad
        == Array(
          repeating: [
            PointOutcome(point: 0, outcome: .bad(.lineBusy)),
            PointOutcome(point: 1, outcome: .bad(.lineBusy, raw: .uint(7))),
          ], count: 3))
    #expect(line.states == [.countResumed, .failed])
    #expect(line.events.last?.reason == "line-busy: held by gpiomon")
    #expect(line.input.statistics.fault == "line-busy: held by gpiomon")
    line.open(true)
    #expect(line.newest() == .good(.bool(true)))
    #expect(line.newest(1) == .good(.uint(7)))
    #expect(line.states.last == .recovered)
    #expect(line.faults == [.lineBusy, nil])
    #expect(line.input.statistics.fault == nil)
  }

  @Test("A fault of another kind is told, the same one with another text only shown")
  func faults() {
    var line = LinePlay()
    line.fail(.lineMissing, "no chip")
    line.fail(.lineMissing, "no line")
    line.fail(.refused, "group gpio")
    #expect(line.faults == [.lineMissing, .refused])
    #expect(line.events.map(\.reason) == ["line-missing: no chip", "refused: group gpio"])
    line.open()
    #expect(line.states == [.failed, .failed, .recovered])
  }

  @Test("An edge that came between the request and the first reading is no lost edge")
  func edgeWhileOpening() {
    var line = LinePlay(.count(.rising, meter: nil))
    line.input.open(isActive: true, isDebouncedByKernel: false, at: line.time)
    line.edge(true)
    line.pass(5)
    line.edge(false)
    line.edge(true)
    line.drain()
    #expect(line.input.statistics.total == 1)
    #expect(!line.states.contains(.countSuspect))
  }

  @Test("A level that differs twice without an edge is one lost edge, once is a race")
  func lostEdge() {
    var line = LinePlay(.count(.both, meter: nil))
    line.open()
    line.isActive = true
    line.due()
    line.edge(true)
    line.drain()
    #expect(line.input.statistics.suspects == 0)
    line.pass(2000)
    line.isActive = false
    line.due()
    #expect(line.input.statistics.total == 1)
    line.live(30)
    #expect(line.input.statistics.total == 2)
    #expect(line.events.last?.reason == "level-differs")
    #expect(line.transitions.map(\.isActive) == [false, true, false])
    // The edge that came late after all is not counted again.
    line.edge(false)
    line.drain()
    #expect(line.input.statistics.total == 2)
  }

  @Test("A level that is not read again neither changes the line nor keeps it awake")
  func unreadLevel() {
    var line = LinePlay()
    line.open()
    line.input.due(isActive: true, scheduled: line.time, at: line.time)
    line.pass(20)
    #expect(line.input.wakeTime != nil)
    line.input.settle(isActive: nil, at: line.time)
    #expect(line.input.wakeTime == nil)
    #expect(line.input.statistics.isActive == false)
  }

  @Test("A debounced contact changes once, dated by when it had held")
  func debounce() {
    var line = LinePlay(debounce: 20)
    line.open()
    line.edges(7, every: 3)
    line.live(15)
    #expect(line.samples.count == 1)
    line.live(10)
    #expect(line.samples.count == 2)
    #expect(line.newest() == .good(.bool(true)))
    #expect(line.samples.last?.time == LinePlay.start.advanced(by: 1 + 18 + 20))
    #expect(line.input.statistics.edges == 7)
    #expect(line.input.statistics.suspects == 0)
  }

  @Test("What the kernel debounces is taken as it comes")
  func kernelDebounce() {
    var line = LinePlay(debounce: 20)
    line.open(byKernel: true)
    line.edges(2, every: 3)
    #expect(line.samples.count == 3)
  }

  @Test("Fifty changes a second are samples, the next is chattering until a second is calm")
  func chattering() {
    var line = LinePlay()
    line.open()
    line.outputs = []
    line.edges(50, every: 10)
    #expect(line.samples.count == 50)
    #expect(
      line.samples.allSatisfy { if case .good = $0.outcomes[0].outcome { true } else { false } })
    line.edges(200, every: 10)
    #expect(line.samples.count == 51)
    #expect(line.newest() == .bad(.chattering))
    line.due()
    #expect(line.newest() == .bad(.chattering))
    // Gates see all of them.
    #expect(line.transitions.count == 250)
    line.live(2100)
    #expect(line.newest() == .good(.bool(false)))
    #expect(line.states == [.chattering, .calm])
    line.edges(1, every: 1)
    #expect(line.newest() == .good(.bool(true)))
    #expect(line.input.wakeTime == nil)
  }

  @Test("Lost edges of a contact are told, those of a frequency are left out in silence")
  func lossesOfOthers() {
    var contact = LinePlay()
    contact.open()
    contact.edge(true, sequence: 1)
    contact.edge(false, sequence: 4)
    contact.drain()
    #expect(contact.events == [LineDetail(state: .countSuspect, reason: "sequence-gap", lost: 2)])
    contact.edge(false, sequence: 5)
    contact.drain()
    #expect(contact.transitions.map(\.isActive) == [false, true, false, false])
    #expect(contact.events.count == 1)
    #expect(contact.input.statistics.suspects == 2)
    var sensor = LinePlay(
      .frequency(
        FrequencyScale(
          hertz: ValueRange(lower: 20, upper: 50), atLowest: 0, atHighest: 1, marginHertz: 1,
          windowMilliseconds: 1000)))
    sensor.open()
    sensor.edges(10, every: 10)
    sensor.edge(sensor.isActive)
    sensor.drain(isFull: true)
    #expect(sensor.events.isEmpty)
    #expect(sensor.transitions.isEmpty)
    #expect(sensor.input.statistics.suspects == 2)
  }
}
