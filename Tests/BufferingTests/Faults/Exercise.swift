import LinuxSystem
import Telemetry
import TestSupport

@testable import Buffering

/// A store at work: random steps from a seed, as the writer's loop and the destinations take them,
/// and a ledger of all that comes out. One thread's.
final class Exercise: @unchecked Sendable {
  /// One thing that is done.
  enum Step: CaseIterable {
    case samples, events, commit, acknowledge, saveCursors
    case restart, kill, powerCut
    case resize, redefine, redestine
    case fault, damage
  }

  /// Small, so that roll-over is reached; a start after dozens of others fits in one batch.
  static let segmentBytes = 10240
  static let names = ["province", "group", "museum"].map(DestinationName.init)

  private(set) var disk: SimulatedDisk
  private(set) var test: StoreUnderTest?
  private(set) var clock = ManualClock()
  var ledger = Ledger()
  var generator: SeededGenerator
  /// For what a committed batch may be missing.
  var allowed: Set<String> = ["evicted"]
  private var held: [DefinedSample] = []
  private var nextNumber: UInt64 = 0
  private var segments: Int
  private var destinations = Array(names.prefix(2))
  private var revision = 1
  private var boot = BootID(rawValue: 1)
  private var isFaulty = false
  /// The steps taken, for who looks into a failure.
  private(set) var history: [String] = []
  private let segmentBytes: Int
  /// Told of each call that changes something on the disk, before it is made.
  var observer: ((Exercise, SimulatedDisk.Change) -> Void)?

  init(seed: UInt64, segments: Int, segmentBytes: Int = Exercise.segmentBytes) {
    generator = SeededGenerator(seed: seed)
    self.segments = segments
    self.segmentBytes = segmentBytes
    disk = SimulatedDisk()
  }

  /// The same account and settings, to go on with another disk in another process.
  init(_ other: Exercise, on disk: SimulatedDisk, isNewBoot: Bool) {
    generator = other.generator
    ledger = other.ledger
    _ = ledger.end()
    segmentBytes = other.segmentBytes
    self.disk = disk
    segments = other.segments
    destinations = other.destinations
    revision = other.revision
    allowed = other.allowed
    nextNumber = other.nextNumber
    boot = BootID(rawValue: other.boot.rawValue + (isNewBoot ? 1 : 0))
    clock = isNewBoot ? other.clock.afterBoot() : ManualClock(other.clock.now())
  }

  var settings: JournalSettings {
    StoreUnderTest.settings(
      segments: segments, segmentBytes: segmentBytes, destinations: destinations,
      definitions: Array(#"{"v":1,"revision":\#(revision)}"#.utf8), boot: boot)
  }

  // MARK: Opening and closing

  /// Opens the store and closes the account. What fails while calls are made to fail is no problem.
  func open() {
    if observer != nil { disk.observe { [unowned self] in report($0) } }
    do {
      let opened = try StoreUnderTest(disk, settings, clock: clock)
      test = opened
      audit()
      ledger.commit(.events)
      closeAccount()
    } catch {
      test = nil
      if !isFaulty { ledger.note(problem: "not opened: \(error)") }
    }
  }

  private func report(_ change: SimulatedDisk.Change) {
    audit()
    observer?(self, change)
  }

  /// Explains what is missing, appends a sample, and asks each destination for all that is due.
  func closeAccount() {
    guard let test, !isFaulty else { return }
    attempt { try $0.explainHoles() }
    appendSamples(1)
    audit()
    for (digest, payload) in test.journal.definitions() {
      if CRC32C.checksum(payload) != digest { ledger.note(problem: "wrong definitions") }
    }
    let running = Ledger.Key.Running(store: test.journal.store, epoch: test.journal.epoch)
    for destination in destinations {
      ledger.close(
        destination, readable: readable(by: destination), running: running, allowing: allowed)
    }
  }

  /// Reads all that anybody can read.
  func audit() {
    guard let test else { return }
    disk.undisturbed {
      for destination in destinations {
        for stream in StreamName.allCases {
          for batch in test.batches(stream, for: destination) { ledger.note(batch) }
        }
      }
    }
  }

  private func readable(by destination: DestinationName) -> Set<BatchIdentity> {
    guard let test else { return [] }
    return disk.undisturbed {
      Set(StreamName.allCases.flatMap { test.batches($0, for: destination).map(\.identity) })
    }
  }

  // MARK: Steps

  func take(_ step: Step) {
    history.append("\(step)")
    if test == nil, step != .kill, step != .powerCut { return open() }
    switch step {
    case .samples: appendSamples(.random(in: 1...6, using: &generator))
    case .events: appendEvents(.random(in: 1...3, using: &generator))
    case .commit: commit()
    case .acknowledge: acknowledge()
    case .saveCursors: attempt { try $0.saveCursors() }
    case .restart: restart()
    case .kill: reopen(disk.afterKill(), isNewBoot: false)
    case .powerCut:
      var mine = generator
      let cut = PowerCut.allCases.randomElement(using: &mine) ?? .nothing
      reopen(disk.image().afterPowerCut(cut, using: &mine), isNewBoot: true)
      generator = mine
    case .resize: segments = .random(in: 3...10, using: &generator)
    case .redefine: redefine()
    case .redestine: redestine()
    case .fault: fault()
    case .damage: damage()
    }
    if step != .acknowledge, step != .saveCursors { audit() }
  }

  /// Does what may fail. What fails without a reason is a problem.
  private func attempt(_ body: (JournalStore) throws -> Void) {
    guard let test else { return }
    do {
      try body(test.store)
    } catch {
      audit()
      ledger.fail()
      if !isFaulty { ledger.note(problem: "failed for no reason: \(error)") }
    }
  }

  private func appendSamples(_ count: Int) {
    guard let test else { return }
    for _ in 0..<count {
      clock.advance(by: .random(in: 1...2000, using: &generator))
      var sample = RandomSamples.sample(at: clock.now(), using: &generator)
      sample.outcomes[0].outcome = .good(.uint(nextNumber))
      ledger.hand(nextNumber, sample)
      nextNumber += 1
      held.append(DefinedSample(sample, definitions: test.definitions))
    }
    appendHeld()
  }

  /// As the writer's loop does it.
  func appendHeld() {
    attempt { store in
      try store.append([])
      try store.explainHoles()
      var appended = 0
      defer { held.removeFirst(appended) }
      try store.append(held, appended: &appended)
    }
  }

  private func appendEvents(_ count: Int) {
    clock.advance(by: 10)
    let events = (0..<count).map { number in
      Event(
        time: clock.now(), severity: .alarm, source: "d\(number)",
        detail: .device(StateDetail(state: "lost")))
    }
    attempt { store in
      try store.append(events)
      audit()
      ledger.commit(.events)
    }
  }

  func commit() {
    attempt { store in
      audit()
      try store.commit()
      ledger.commit(.data)
    }
  }

  /// A destination takes some of what there is, not always the oldest first.
  private func acknowledge() {
    guard let test, let destination = destinations.randomElement(using: &generator) else { return }
    disk.undisturbed {
      for stream in StreamName.allCases {
        for batch in test.batches(stream, for: destination).prefix(12) {
          if Int.random(in: 0..<8, using: &generator) == 0 { continue }
          ledger.note(batch)
          ledger.acknowledge(batch.identity, by: destination)
          test.journal.acknowledge(batch.identity, by: destination)
        }
      }
    }
  }

  /// An orderly stop and a start.
  private func restart() {
    appendHeld()
    var isOrderly = false
    attempt { store in
      audit()
      try store.close(reason: "test")
      audit()
      ledger.commit(.data)
      ledger.commit(.events)
      try store.seal()
      isOrderly = true
    }
    let acknowledged = reopen(disk.afterKill(), isNewBoot: false)
    guard isOrderly, test != nil, !isFaulty else { return }
    for destination in destinations {
      let repeated = readable(by: destination).intersection(acknowledged[destination] ?? [])
      guard let one = repeated.first else { continue }
      ledger.note(problem: "\(destination) gets \(repeated.count) again, such as \(one)")
    }
  }

  @discardableResult private func reopen(
    _ next: SimulatedDisk, isNewBoot: Bool
  ) -> [DestinationName: Set<BatchIdentity>] {
    audit()
    let acknowledged = ledger.end()
    test = nil
    held = []
    if isFaulty, !isNewBoot { next.takeFailures(of: disk) }
    isFaulty = isFaulty && !isNewBoot
    disk = next
    boot.rawValue += isNewBoot ? 1 : 0
    clock = isNewBoot ? clock.afterBoot() : ManualClock(clock.now())
    open()
    return acknowledged
  }

  private func redefine() {
    revision += 1
    attempt { [settings] in
      try $0.apply(
        JournalChange(destinations: settings.destinations, definitions: settings.definitions))
    }
  }

  /// A destination goes or comes, with the next start.
  private func redestine() {
    if destinations.count == 3 { destinations.removeLast() } else { destinations = Self.names }
    if let last = destinations.last, destinations.count == 3 { ledger.add(last) }
    reopen(disk.afterKill(), isNewBoot: false)
  }

  /// Calls fail from a random one on, for a few steps; then the disk is well again.
  private func fault() {
    failCalls(
      after: .random(in: 0...30, using: &generator), code: Bool.random(using: &generator) ? 5 : 28,
      lasting: .random(using: &generator))
    for _ in 0..<4 {
      take([.samples, .events, .commit, .saveCursors].randomElement(using: &generator) ?? .samples)
    }
    heal()
  }

  func failCalls(after callsBefore: Int, code: Int32, lasting: Bool) {
    isFaulty = true
    disk.failAny(after: callsBefore, code: code, lasting: lasting)
  }

  /// The disk is well: all that was kept waiting has to go in.
  func heal() {
    disk.heal()
    isFaulty = false
    if test == nil { open() }
    appendHeld()
    commit()
    if !held.isEmpty { ledger.note(problem: "\(held.count) samples never go in") }
    closeAccount()
  }

  /// Bytes of some file change between two runs.
  private func damage() {
    audit()
    let next = disk.afterKill()
    guard let path = next.paths.randomElement(using: &generator) else { return }
    var mine = generator
    next.damage(path) { bytes in
      guard !bytes.isEmpty else { return }
      let start = Int.random(in: 0..<bytes.count, using: &mine)
      switch Int.random(in: 0..<4, using: &mine) {
      case 0: bytes[start] ^= 1 << UInt8.random(in: 0..<8, using: &mine)
      case 1: for offset in start..<min(start + 512, bytes.count) { bytes[offset] = 0 }
      case 2:
        for offset in start..<min(start + 64, bytes.count) {
          bytes[offset] = .random(in: 0...255, using: &mine)
        }
      default: bytes.removeSubrange(start...)
      }
    }
    generator = mine
    history.append(path)
    ledger.damage()
    reopen(next, isNewBoot: false)
  }
}

extension ManualClock {
  /// Another boot's clock: the monotonic one begins anew.
  fileprivate func afterBoot() -> ManualClock {
    ManualClock(Timestamp(monotonic: 1000, offset: now().wall + 500, clock: .synced))
  }
}
