import Telemetry
import Testing
import TestSupport

@testable import Drivers

/// Random maps, units that lack addresses, are slow, busy, silent or damaged, connections that come
/// and go, and a clock that jumps: whatever happens, the account is right.
@Suite("Polling, fuzzed", .serialized)
struct PollingFuzzTests {
  @Test(
    "Every due point has exactly one outcome a cycle, and no request exceeds a limit",
    arguments: 0..<150 as Range<UInt64>)
  func accountsForEverything(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let definition = randomDefinition(&generator)
    let units = definition.devices.map { _ in RandomUnit(&generator) }
    var faults = SeededGenerator(seed: seed &+ 1000)
    var play = Play(definition, spreads: true) { request, now in
      units[Int(request.unit) - 1].answer(request, at: now, &faults)
    }
    var connecting = SeededGenerator(seed: seed &+ 2000)
    play.connect = { _ in
      switch Int.random(in: 0..<5, using: &connecting) {
      case 0: (.refused(endpoint: "e"), .random(in: 0...5, using: &connecting))
      case 1: (.failed(.init(call: "connect", subject: "e", code: 110)), 2000)
      default: (nil, 1)
      }
    }
    for _ in 0..<40 {
      play.run(until: play.now + .random(in: 1...4000, using: &generator))
      // The board slept, or was busy with other things; less than what becomes a gap.
      if Int.random(in: 0..<4, using: &generator) == 0 {
        play.now += .random(in: 0...2000, using: &generator)
      }
    }
    Accounting.expectExact(
      play, definition.devices.map(\.name),
      phases: PollAgenda(definition, start: 0, spreads: true))
    for request in Set(play.requests) {
      RandomMap.expectSound(request, definition.devices[Int(request.unit) - 1])
    }
    #expect(play.events.allSatisfy { $0.stateDetail != nil }, "no pause was long enough for a gap")
  }

  @Test(
    "When all is well again every point is good again, and reads what it stands at",
    arguments: 0..<40 as Range<UInt64>)
  func recovers(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    // Those that are read rarely are asked for again after an outage.
    let definition = randomDefinition(&generator, periods: [250, 1000, 3000, 45_000])
    let units = definition.devices.map { _ in RandomUnit(&generator) }
    var faults = SeededGenerator(seed: seed &+ 1000)
    var play = Play(definition, spreads: true) { request, now in
      guard now < 30_000 else {
        let words = request.addresses.map { UInt16($0) }
        return (
          .success(.values(request.table.holdsBits ? words.map { $0 & 1 } : words)), 1
        )
      }
      return units[Int(request.unit) - 1].answer(request, at: now, &faults)
    }
    var connecting = SeededGenerator(seed: seed &+ 2000)
    play.connect = { now in
      let isRefused = now < 30_000 && Int.random(in: 0..<4, using: &connecting) > 0
      return isRefused ? (.refused(endpoint: "e"), 1) : (nil, 1)
    }
    // A refused point is asked again after twice the time that it was refused for, at the latest.
    play.run(until: 120_000)
    var newest: [String: Outcome] = [:]
    for sample in play.samples {
      for outcome in sample.outcomes {
        newest["\(sample.device.name).\(outcome.point)"] = outcome.outcome
      }
    }
    for device in definition.devices {
      for (index, point) in device.points.enumerated() {
        let outcome = newest["\(device.name).\(index)"]
        switch (point.type, outcome) {
        case (.uint16, .good(let value)): #expect(value == .uint(UInt64(point.address)))
        case (.bool, .good(let value)): #expect(value == .bool(point.address & 1 == 1))
        case (_, .good): break
        // Registers that count up are now and then the bits of no number.
        case (.float32, .bad(.notANumber, _)), (.float64, .bad(.notANumber, _)): break
        default: Issue.record("\(device.name).\(index): \(outcome.map { "\($0)" } ?? "nothing")")
        }
      }
    }
  }

  private func randomDefinition(
    _ generator: inout SeededGenerator, periods: [Int64] = [250, 1000, 3000]
  ) -> ModbusBusDefinition {
    let devices = (1...Int.random(in: 1...3, using: &generator)).map { unit in
      RandomMap.device(
        &generator, unit: UInt8(unit), points: 12, periods: periods)
    }
    let line = SerialLine(
      path: "", baud: [1200, 9600, 115_200].randomElement(using: &generator) ?? 9600)
    return ModbusBusDefinition(
      name: "bus",
      endpoint: Bool.random(using: &generator) ? .rtu(line) : .tcp(host: "h", port: 1),
      timeoutMilliseconds: .random(in: 50...500, using: &generator), devices: devices)
  }
}

/// A unit with faults of its own.
private struct RandomUnit {
  private let missing: Set<Int>
  private let longest: Int
  private let delay: Int64
  private let faultsPerMille: Int
  private let silentFrom: Int64

  init(_ generator: inout SeededGenerator) {
    let count = Int.random(in: 0...6, using: &generator)
    missing = Set((0..<count).map { _ in Int.random(in: 0...60, using: &generator) })
    longest = [4, 16, 125, 2000].randomElement(using: &generator) ?? 125
    delay = .random(in: 0...30, using: &generator)
    faultsPerMille = [0, 20, 300].randomElement(using: &generator) ?? 0
    silentFrom = .random(in: 0...60_000, using: &generator)
  }

  func answer(
    _ request: PlannedRequest, at now: Int64, _ faults: inout SeededGenerator
  ) -> (Result<ReadAnswer, TransactionError>, takes: Int64) {
    if (silentFrom..<silentFrom + 15_000).contains(now) {
      return (.failure(.timeout(brokeOff: false)), 300)
    }
    if Int.random(in: 0..<1000, using: &faults) < faultsPerMille {
      switch Int.random(in: 0..<10, using: &faults) {
      case 0: return (.failure(.timeout(brokeOff: false)), 300)
      case 1: return (.failure(.timeout(brokeOff: true)), 300)
      case 2: return (.failure(.wrongChecksum), delay)
      case 3: return (.failure(.badAnswer(.wrongUnit(found: 9, expected: 1))), delay)
      case 4: return (.failure(.badAnswer(.wrongProtocol(found: 1))), delay)
      case 5: return (.failure(.closed(reason: "cut")), delay)
      case 6: return (.failure(.closedBefore(reason: "idle")), 0)
      default:
        return (.success(.exception(.random(in: 0...12, using: &faults))), delay)
      }
    }
    if request.count > longest { return (.success(.exception(3)), delay) }
    if !missing.isDisjoint(with: request.addresses) { return (.success(.exception(2)), delay) }
    return (values(request), delay)
  }
}
