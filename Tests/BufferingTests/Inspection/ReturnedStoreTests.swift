import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Buffering

/// A look into stores that hold what was kept in memory for a while.
extension OutageTests {
  private func findings() throws -> [StoreFinding] {
    var findings: [StoreFinding] = []
    _ = try StoreInspection(directory: "store", storage: disk).verify { findings.append($0) }
    return findings
  }

  @Test(
    "In a store that came back from memory a look finds nothing wrong, whoever had what by then",
    arguments: [0, 150, 300])
  func lookAfterReturn(delivered: Int) throws {
    let writer = try begin()
    try accept(1...10, by: writer)
    disk.fail(.write, code: 5, lasting: true)
    try accept(11...300, by: writer)
    try waitForFault()
    let reader = writer.journal.reader(of: .data, for: province, from: .start)
    for _ in 0..<delivered {
      guard let batch = reader.next(before: nil)?.batch else { break }
      writer.journal.acknowledge(batch.identity, by: province)
    }
    disk.heal()
    try waitForReturn(writer)
    try accept(301...310, by: writer)
    end(writer)
    #expect(try findings() == [])
    // And once an ordinary start stands behind it.
    try StoreUnderTest(disk, clock: clock).end()
    #expect(try findings() == [])
  }

  @Test(
    "In a store that was opened late a look finds nothing wrong", arguments: [0, 100])
  func lookAfterLateOpening(delivered: Int) throws {
    let first = try StoreUnderTest(disk, clock: clock)
    var generator = SeededGenerator(seed: 1)
    try first.append(5, using: &generator)
    try first.end()
    disk.fail(.open, code: 5, lasting: true)
    let writer = try begin()
    try waitForFault()
    try accept(1...200, by: writer)
    let reader = writer.journal.reader(of: .data, for: province, from: .start)
    for _ in 0..<delivered {
      guard let batch = reader.next(before: nil)?.batch else { break }
      writer.journal.acknowledge(batch.identity, by: province)
    }
    disk.heal()
    try waitForReturn(writer)
    try accept(201...210, by: writer)
    end(writer)
    #expect(try findings() == [])
  }

  @Test("A record of clocks that can't be read is found")
  func damagedClocks() throws {
    try StoreUnderTest(disk, clock: clock).end()
    #expect(try findings() == [])
    for path in disk.paths where path.contains("/clocks") { disk.damage(path) { $0[9] ^= 1 } }
    #expect(try findings().map(\.file) == ["clocks"])
  }
}
