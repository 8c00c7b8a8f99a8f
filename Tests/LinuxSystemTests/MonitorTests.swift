import LinuxSystem
import TestSupport
import Testing

@Suite("A monitor", .ownThread)
struct MonitorTests {
  @Test("What holds already is not waited for")
  func immediate() {
    let monitor = Monitor(5)
    #expect(monitor.wait(atMost: 0) { $0 == 5 ? "five" : nil } == "five")
  }

  @Test("A wait that is in vain ends after its time, not before")
  func timeout() {
    let monitor = Monitor(0)
    let start = ContinuousClock.now
    let found: Bool? = monitor.wait(atMost: 0.15) { $0 > 0 ? true : nil }
    #expect(found == nil)
    #expect(ContinuousClock.now - start >= .milliseconds(149))
  }

  @Test("An update of another thread ends a wait, also one without a limit")
  func wakes() throws {
    let monitor = Monitor(0)
    try Thread.start(named: "updater") {
      for _ in 0..<1000 { monitor.update { $0 += 1 } }
    }
    #expect(monitor.wait(atMost: nil) { $0 == 1000 ? $0 : nil } == 1000)
  }

  @Test("All who wait are woken by one update")
  func broadcast() throws {
    let gate = Monitor(false)
    let arrived = Monitor(0)
    let passed = Monitor(0)
    for index in 0..<8 {
      try Thread.start(named: "waiter-\(index)") {
        arrived.update { $0 += 1 }
        let isOpen = gate.wait(atMost: patienceSeconds) { $0 ? true : nil }
        if isOpen == true { passed.update { $0 += 1 } }
      }
    }
    #expect(arrived.wait(atMost: patienceSeconds) { $0 == 8 ? true : nil } == true)
    gate.update { $0 = true }
    #expect(passed.wait(atMost: patienceSeconds) { $0 == 8 ? true : nil } == true)
  }

  @Test("No change is lost among threads")
  func exclusion() throws {
    let counter = Monitor(0)
    let ended = Monitor(0)
    for index in 0..<4 {
      try Thread.start(named: "counter-\(index)") {
        for _ in 0..<10_000 { counter.withLock { $0 += 1 } }
        ended.update { $0 += 1 }
      }
    }
    #expect(ended.wait(atMost: patienceSeconds) { $0 == 4 ? true : nil } == true)
    #expect(counter.withLock { $0 } == 40_000)
  }

  @Test("An error goes through, and the lock is free again")
  func errors() throws {
    let monitor = Monitor(1)
    let error = SystemError(call: "x", subject: "", code: 1)
    #expect(throws: error) {
      try monitor.withLock { _ throws(SystemError) -> Void in throw error }
    }
    #expect(monitor.withLock { $0 } == 1)
  }
}
