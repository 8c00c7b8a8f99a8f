import Testing
import TestSupport

@testable import Uplink

@Suite("The uplink's state machine")
struct StateMachineTests {
  private func machine(endpoints: Int = 1, seed: UInt64 = 1) -> UplinkStateMachine {
    UplinkStateMachine(endpointCount: endpoints, generator: SeededGenerator(seed: seed))
  }

  private func liveMachine(now: Int64 = 0) -> UplinkStateMachine {
    var machine = machine()
    _ = machine.start(now: now)
    _ = machine.connected(now: now)
    return machine
  }

  private let refused = ConnectionLoss(fault: .refused, cost: .nobodys)
  private let closed = ConnectionLoss(fault: .disconnected, cost: .brokers, isByBroker: true)

  @Test("It says that it is connecting, connects and greets")
  func start() {
    var machine = machine()
    #expect(machine.start(now: 0) == [.report(.connecting), .connect(endpoint: 0)])
    #expect(machine.connected(now: 5) == [.report(nil), .greet])
    #expect(machine.state == .live(since: 5))
    #expect(machine.nextTick == nil)
  }

  @Test("A broker that says nothing for ten seconds is given up")
  func connectTimeout() {
    var machine = machine()
    _ = machine.start(now: 0)
    #expect(machine.tick(now: 9_999).isEmpty)
    #expect(machine.tick(now: 10_000) == [.abandon, .report(.timeout)])
  }

  @Test("The ten seconds begin when the look-up of the name is over")
  func slowLookUp() {
    var machine = machine()
    _ = machine.start(now: 0)
    machine.opened(now: 12_000)
    #expect(machine.tick(now: 21_999).isEmpty)
    #expect(machine.tick(now: 22_000) == [.abandon, .report(.timeout)])
    // What failed or was stopped meanwhile stays so.
    machine.opened(now: 22_000)
    #expect(machine.nextTick != 32_000)
  }

  @Test("Endpoints are tried in turn without a delay; the delay comes after the last")
  func endpoints() {
    var machine = machine(endpoints: 3)
    _ = machine.start(now: 0)
    #expect(machine.lost(refused, now: 1) == [.abandon, .report(.refused)])
    #expect(machine.tick(now: 1) == [.connect(endpoint: 1)])
    _ = machine.lost(refused, now: 2)
    #expect(machine.tick(now: 2) == [.connect(endpoint: 2)])
    _ = machine.lost(refused, now: 3)
    #expect(machine.tick(now: 3).isEmpty)
    #expect(machine.tick(now: 3 + 1000) == [.connect(endpoint: 0)])
  }

  @Test("After a stable connection that the broker closed it is back within a second")
  func stable() {
    var machine = liveMachine()
    _ = machine.lost(closed, now: 30_000)
    #expect(machine.tick(now: 31_000) == [.connect(endpoint: 0)])
  }

  @Test("A broker that takes connections only to drop them is asked ever more rarely")
  func flapping() {
    var machine = machine(seed: 3)
    var now: Int64 = 0
    _ = machine.start(now: now)
    for _ in 0..<50 {
      _ = machine.connected(now: now)
      _ = machine.lost(closed, now: now + 1)
      now = machine.nextTick ?? now
      #expect(machine.tick(now: now) == [.connect(endpoint: 0)])
    }
    // 50 attempts at the quick pace would have taken less than a minute.
    #expect(now > 10 * 60_000)
  }

  @Test("An orderly stop drains, says goodbye and leaves")
  func stop() {
    var machine = liveMachine()
    #expect(machine.stop(within: 5_000, now: 0).isEmpty)
    #expect(machine.drained() == [.sayGoodbye])
    #expect(machine.farewellAcknowledged() == [.disconnect])
    #expect(machine.lost(closed, now: 11) == [.abandon])
    #expect(machine.state == .ended)
  }

  @Test("A stop that can't drain keeps time for the goodbye and ends by its limit")
  func stopLimit() {
    var machine = liveMachine()
    _ = machine.stop(within: 5_000, now: 0)
    #expect(machine.tick(now: 3_999).isEmpty)
    #expect(machine.tick(now: 4_000) == [.sayGoodbye])
    #expect(machine.tick(now: 4_399).isEmpty)
    #expect(machine.tick(now: 4_400) == [.disconnect])
    #expect(machine.tick(now: 4_500) == [.abandon])
    #expect(machine.state == .ended)
  }

  @Test("Whatever happens in whatever order, a stop ends it in time", arguments: 1...200)
  func random(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var machine = machine(endpoints: Int.random(in: 1...3, using: &generator), seed: seed)
    var now: Int64 = 0
    _ = machine.start(now: now)
    for _ in 0..<100 {
      now += Int64.random(in: 0...20_000, using: &generator)
      switch Int.random(in: 0..<6, using: &generator) {
      case 0: _ = machine.connected(now: now)
      case 1: _ = machine.lost(refused, now: now)
      case 2: _ = machine.lost(closed, now: now)
      case 3: _ = machine.drained()
      case 4: _ = machine.farewellAcknowledged()
      default: _ = machine.tick(now: now)
      }
      // It never stands still: there is a timer, or a connection whose loss will be told.
      if case .live = machine.state { continue }
      #expect(machine.nextTick != nil)
    }
    let stopped = now
    _ = machine.stop(within: 2_000, now: now)
    while machine.state != .ended {
      guard let next = machine.nextTick else {
        Issue.record("no timer in \(machine.state)")
        return
      }
      now = max(now, next)
      _ = machine.tick(now: now)
    }
    #expect(now - stopped <= 1_800)
  }
}
