import Buffering
import Testing
import TestSupport

@testable import Uplink

@Suite("The in-flight window")
struct InflightWindowTests {
  private func batch(_ seq: UInt64, _ lane: Lane, bytes: Int = 100) -> InflightWindow.Entry {
    InflightWindow.Entry(
      cargo: .batch(
        BatchIdentity(store: 1, stream: lane.stream, epoch: 1, seq: seq), start: .start,
        lane: lane), bytes: bytes)
  }
  private let live = Lane(stream: .data, isHistory: false)
  private let history = Lane(stream: .data, isHistory: true)

  @Test("It is closed until a connection opens it")
  func closed() {
    let window = InflightWindow(configured: 20, historyShare: 0.5)
    #expect(!window.hasRoom(forBytes: 1, isHistory: false))
  }

  @Test(
    "Credits are the smaller of what is configured and what the broker takes",
    arguments: [
      (20, 65_535, 20), (20, 5, 5), (3, 5, 3), (20, 1, 1),
    ])
  func credits(configured: Int, receiveMaximum: Int, expected: Int) {
    var window = InflightWindow(configured: configured, historyShare: 0.5)
    window.open(receiveMaximum: UInt16(receiveMaximum))
    #expect(window.credits == expected)
    // What one broker asked for does not stick.
    window.open(receiveMaximum: .max)
    #expect(window.credits == configured)
  }

  @Test("Nothing that happens makes it exceed a limit or lose count", arguments: 1...50)
  func property(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let share = Double.random(in: 0.05...1, using: &generator)
    var window = InflightWindow(configured: 20, historyShare: share)
    let receiveMaximum = UInt16.random(in: 1...30, using: &generator)
    window.open(receiveMaximum: receiveMaximum)
    var inFlight: [Int32: InflightWindow.Entry] = [:]
    for id in Int32(1)...500 {
      let lane = Bool.random(using: &generator) ? live : history
      let entry = batch(UInt64(id), lane, bytes: .random(in: 1...90_000, using: &generator))
      if window.hasRoom(forBytes: entry.bytes, isHistory: lane.isHistory) {
        #expect(window.insert(id, entry, now: 0) == true)
        inFlight[id] = entry
      } else if let gone = inFlight.keys.sorted().randomElement(using: &generator) {
        #expect(window.remove(gone, now: 0) == inFlight.removeValue(forKey: gone))
      }
      let bytes = inFlight.values.map(\.bytes)
      #expect(window.count == inFlight.count && inFlight.count <= min(20, Int(receiveMaximum)))
      #expect(bytes.count == 1 || bytes.reduce(0, +) <= InflightWindow.bytesLimit)
      let late = inFlight.values.filter { $0.isHistory }
      #expect(late.count <= max(1, Int(Double(window.credits) * share)))
      #expect(
        late.count <= 1
          || late.map(\.bytes).reduce(0, +) <= InflightWindow.historyBytesLimit)
    }
    #expect(window.remove(9999, now: 0) == nil)
  }

  @Test("A packet id that is in flight already, or one without a credit, is not taken")
  func packetIDInUse() {
    var window = InflightWindow(configured: 2, historyShare: 0.5)
    window.open(receiveMaximum: 20)
    #expect(window.insert(1, batch(1, live), now: 0) == true)
    #expect(window.insert(1, batch(2, live), now: 0) == false)
    #expect(window.count == 1)
    #expect(window.remove(1, now: 0) == batch(1, live))
    #expect(window.isEmpty)
    #expect(window.insert(1, batch(1, live), now: 0) == true)
    #expect(window.insert(2, batch(2, live), now: 0) == true)
    #expect(window.insert(3, batch(3, live), now: 0) == false)
  }

  @Test("A broker is overdue when the oldest packet waits for the limit, whatever else arrives")
  func overdue() {
    var window = InflightWindow(configured: 20, historyShare: 0.5)
    window.open(receiveMaximum: 20)
    #expect(window.overdueAt == nil)
    #expect(window.insert(1, batch(1, live), now: 1_000) == true)
    #expect(window.insert(2, batch(2, live), now: 15_000) == true)
    #expect(window.overdueAt == 21_000)
    _ = window.remove(2, now: 16_000)
    #expect(window.overdueAt == 21_000)
    _ = window.remove(1, now: 17_000)
    #expect(window.overdueAt == nil)
    #expect(window.insert(3, batch(3, live), now: 40_000) == true)
    #expect(window.overdueAt == 60_000)
  }

  @Test("On a slow link, each acknowledgement in turn gives the next packet its time")
  func slowLink() {
    var window = InflightWindow(configured: 20, historyShare: 0.5)
    window.open(receiveMaximum: 20)
    for id in Int32(1)...5 { #expect(window.insert(id, batch(UInt64(id), live), now: 0) == true) }
    for id in Int32(1)...4 {
      let now = Int64(id) * 15_000
      #expect(now < window.overdueAt ?? 0)
      _ = window.remove(id, now: now)
    }
    #expect(window.overdueAt == 80_000)
  }
}

extension InflightWindow.Entry {
  fileprivate var isHistory: Bool {
    if case .batch(_, _, let lane) = cargo { lane.isHistory } else { false }
  }
}

@Suite("Batches that do harm")
struct SuspectTests {
  private func identity(_ seq: UInt64) -> BatchIdentity {
    BatchIdentity(store: 1, stream: .data, epoch: 1, seq: seq)
  }

  @Test("After three losses in a row a batch goes alone; if the broker closes then, it is to blame")
  func poison() {
    var suspects = DisconnectSuspects()
    let poison = identity(1)
    for innocent in UInt64(2)...4 {
      #expect(!suspects.mustGoAlone(poison))
      #expect(
        suspects.connectionLost(inFlight: [poison, identity(innocent)], isByBroker: true) == nil)
    }
    #expect(suspects.mustGoAlone(poison))
    #expect(!suspects.mustGoAlone(identity(4)))
    #expect(suspects.connectionLost(inFlight: [poison], isByBroker: true) == poison)
  }

  @Test("An acknowledgement clears a suspect")
  func cleared() {
    var suspects = DisconnectSuspects()
    for _ in 0..<3 { _ = suspects.connectionLost(inFlight: [identity(1)], isByBroker: true) }
    #expect(suspects.mustGoAlone(identity(1)))
    suspects.acknowledged(identity(1))
    #expect(!suspects.mustGoAlone(identity(1)))
  }

  @Test("A bad link needs three losses more to condemn a batch that was alone")
  func badLink() {
    var suspects = DisconnectSuspects()
    let batch: Set = [identity(1)]
    for _ in 0..<5 { #expect(suspects.connectionLost(inFlight: batch, isByBroker: false) == nil) }
    #expect(suspects.connectionLost(inFlight: batch, isByBroker: false) == identity(1))
  }

  @Test("A connection without batches says nothing about them")
  func emptyConnection() {
    var suspects = DisconnectSuspects()
    for _ in 0..<3 {
      _ = suspects.connectionLost(inFlight: [identity(1), identity(2)], isByBroker: true)
      _ = suspects.connectionLost(inFlight: [], isByBroker: true)
    }
    #expect(suspects.mustGoAlone(identity(1)))
  }

  @Test("What is set aside is bounded, forgotten with the connection, and condemned for an hour")
  func setAside() {
    var setAside = SetAside()
    for seq in UInt64(1)...2000 { setAside.refuse(identity(seq), now: 0) }
    setAside.refuse(identity(2000), now: 0)
    #expect(setAside.count(.refused, in: .data) == 2000)
    #expect(!setAside.contains(identity(1)) && setAside.contains(identity(2000)))
    #expect(setAside.fault == .refused)
    setAside.condemn(identity(5), now: 0)
    setAside.open(now: 3_599_999)
    #expect(!setAside.contains(identity(2000)) && setAside.contains(identity(5)))
    #expect(setAside.fault == .refused && setAside.count(.refused, in: .data) == 1)
    setAside.open(now: 3_600_000)
    #expect(!setAside.contains(identity(5)) && setAside.fault == nil)
  }

  @Test("After an hour the oldest that was set aside is tried; once it is taken, all like it are")
  func trials() {
    var setAside = SetAside()
    #expect(setAside.retryAt == nil)
    for seq in UInt64(3)...5 { setAside.refuse(identity(seq), now: Int64(seq)) }
    setAside.add(identity(6), .tooLarge, start: position(6), now: 6)
    #expect(setAside.retryAt == 3_600_003)
    #expect(setAside.retry(now: 3_600_002) == [:])
    #expect(setAside.retry(now: 3_600_003) == [.data: position(3)])
    // One of each reason; the rest is passed over as before, and all are counted.
    #expect([3, 4, 5, 6].filter { setAside.contains(identity($0)) } == [4, 5])
    #expect(setAside.count(.refused, in: .data) == 3)
    setAside.refuse(identity(3), now: 3_600_010)
    setAside.add(identity(6), .tooLarge, start: position(6), now: 3_600_010)
    #expect((UInt64(3)...6).allSatisfy { setAside.contains(identity($0)) })
    #expect(setAside.retryAt == 7_200_003)
    #expect(setAside.retry(now: 7_200_003) == [.data: position(3)])
    #expect(setAside.delivered(identity(7)) == nil)
    #expect(setAside.delivered(identity(3)) == position(3))
    #expect(setAside.count(.refused, in: .data) == 0 && !setAside.contains(identity(4)))
    #expect(setAside.fault == .tooLarge)
    // A batch on trial that does not come up for an hour left the log.
    #expect(setAside.retry(now: 10_800_003) == [:])
    #expect(setAside.fault == nil && setAside.retryAt == nil)
  }

  @Test("What stands condemned is tried again after its hour, and then alone at once")
  func condemnedAgain() {
    var setAside = SetAside()
    setAside.condemn(identity(1), now: 10)
    #expect(setAside.retryAt == 3_600_010)
    #expect(setAside.retry(now: 3_600_009) == [:])
    #expect(setAside.retry(now: 3_600_010) == [.data: .start])
    #expect(!setAside.contains(identity(1)) && setAside.fault == nil)
    var suspects = DisconnectSuspects()
    for _ in 0..<3 { _ = suspects.connectionLost(inFlight: [identity(1)], isByBroker: true) }
    #expect(suspects.connectionLost(inFlight: [identity(1)], isByBroker: true) == identity(1))
    #expect(suspects.mustGoAlone(identity(1)))
  }

  private func position(_ seq: UInt64) -> LogPosition {
    LogPosition(generation: 1, offset: UInt32(seq))
  }
}

extension SetAside {
  fileprivate mutating func refuse(_ identity: BatchIdentity, now: Int64) {
    let start = LogPosition(generation: 1, offset: UInt32(identity.seq))
    add(identity, .refused, start: start, now: now)
  }
}
