import Foundation
import TestSupport
import Testing

/// What the agent costs. Only release programs say anything about that, so these tests run where
/// EDGE_PROGRAMS names them.
@Suite("Footprint", .enabled(if: Programs.givenDirectory != nil), .ownThread)
struct FootprintTests {
  @Test("The agent has no full Foundation in it")
  func noFoundation() throws {
    let symbols = try ChildProcess.run("nm", [Programs.agent])
    try #require(symbols.status == 0, "\(symbols.errors)")
    let names = symbols.output.split(separator: "\n").compactMap { $0.split(separator: " ").last }
    // Mangled names begin with their module. That ours is there shows that the program has symbols.
    #expect(names.contains { $0.hasPrefix("$s9Telemetry") })
    #expect(names.first { $0.hasPrefix("$s10Foundation") } == nil)
  }

  @Test("Stripped it has at most 20 MB")
  func size() throws {
    let directory = try TemporaryDirectory()
    let stripped = try ChildProcess.run(
      "strip", ["-o", directory.file("edge-agent"), Programs.agent])
    try #require(stripped.status == 0, "\(stripped.errors)")
    let attributes = try FileManager.default.attributesOfItem(atPath: directory.file("edge-agent"))
    let bytes = try #require(attributes[.size] as? Int)
    #expect(bytes > 1_000_000)
    #expect(bytes <= 20_000_000)
  }

  @Test("At 256 points a second it takes at most 19 MiB of memory, 6 MiB of it its own")
  func memory() throws {
    let rig = try Rig(scenario: Rig.sixteenBySixteen, stations: 16)
    try rig.startAll()
    reach(.now + .seconds(20))
    let agent = try #require(rig.agent)
    let status = lines(of: "/proc/\(agent.id)/status")
    func kibibytes(_ name: String) throws -> Int {
      let line = try #require(status.first { $0.hasPrefix(name + ":") })
      return try #require(Int(line.filter(\.isNumber)))
    }
    let resident = try kibibytes("VmRSS")
    let anonymous = try kibibytes("RssAnon")
    #expect(anonymous > 0 && anonymous < resident)
    // Some 12 MiB are pages of the program and its libraries, which the kernel maps 16 at a time.
    #expect(resident <= 19 << 10, "\(resident) KiB")
    #expect(anonymous <= 6 << 10, "\(anonymous) KiB")
    let account = try rig.finish()
    // It was at work meanwhile.
    #expect(account.number("truth", "delivered") > 15 * 256)
  }
}
