import ConfigurationFile
import Foundation
import Telemetry
import TestSupport
import Testing

@testable import Drivers
@testable import EdgeAgent

/// boards/schema/, which editors check a file with while it is written. The agent's own checks are
/// the judge: a schema knows neither other files nor what goes together.
@Suite("JSON Schemas for editors", .ownThread)
struct SchemaTests {
  private static let checker = "\(Fixtures.root.path)/Tests/Python/check_schema.py"

  private static func schema(_ name: String) throws -> JSONFields {
    let file = Fixtures.root.appending(path: "boards/schema/\(name).schema.json")
    return try JSONFields(JSONParser.parse([UInt8](Data(contentsOf: file))))
  }

  /// What a schema says of files: `ok`, or the first problem.
  private static func verdicts(_ schema: String, _ files: [String]) throws -> [String] {
    // Debian's Python, which has the packages that scripts/lib/setup.sh installs.
    let python = try ChildProcess(
      "/usr/bin/python3",
      ["-W", "ignore", checker, "\(Fixtures.root.path)/boards/schema/\(schema).schema.json"] + files
    )
    #expect(try python.waitForEnd(within: 60) == 0, "\(python.errors)")
    return python.output.split(separator: "\n").map {
      String($0.split(separator: "\t", maxSplits: 1).last ?? "")
    }
  }

  private static func files(under folder: String) -> [String] {
    let root = Fixtures.root.appending(path: folder)
    let found = FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil)
    return (found?.compactMap { $0 as? URL } ?? []).filter { $0.pathExtension == "yaml" }
      .map(\.path).sorted()
  }

  @Test("Every valid configuration, shipped profile and board file passes")
  func valid() throws {
    let configurations = Self.files(under: "Tests/Fixtures/configurations/valid")
    let profiles = Self.files(under: "boards/devices")
    let boards = Self.files(under: "boards").filter { !$0.contains("/devices/") }
    for (schema, files) in [
      ("agent", configurations), ("profile", profiles), ("board", boards),
    ] {
      let verdicts = try Self.verdicts(schema, files)
      #expect(verdicts == files.map { _ in "ok" })
    }
    #expect(configurations.count >= 4 && profiles.count >= 5 && boards.count >= 5)
  }

  @Test("What a schema can see is refused")
  func invalid() throws {
    let names = [
      "areas", "buses-over-tcp", "buses-manners", "buses-rtu", "devices", "gateway-missing",
      "line-purposes", "lines", "names", "no-uplinks", "point-addresses",
      "point-fields", "point-numbers", "point-orders", "point-reports", "point-special",
      "point-states", "point-strings", "point-types", "point-units", "polling", "storage",
      "unknown-keys", "uplink-settings",
    ]
    let folder = Fixtures.folder.appending(path: "invalid")
    let verdicts = try Self.verdicts(
      "agent", names.map { folder.appending(path: "\($0).yaml").path })
    for (name, verdict) in zip(names, verdicts) { #expect(verdict != "ok", "\(name)") }
    #expect(verdicts.count == names.count)
    let broken = Self.files(under: "Tests/Fixtures/configurations/boards/devices/broken")
    #expect(try Self.verdicts("profile", broken).allSatisfy { $0 != "ok" } && !broken.isEmpty)
  }

  @Test("Its words are those that the agent knows")
  func words() throws {
    let point = try Self.schema("profile").fields("$defs").fields("point").fields("properties")
    func words(_ key: String, _ place: JSONFields) throws -> [String] {
      try place.fields(key).array("enum").map { word in
        guard case .string(let text) = word else {
          throw PayloadError(path: key, problem: "no word")
        }
        return text
      }
    }
    #expect(try words("unit", point) == MeasurementUnit.allCases.map(\.rawValue))
    #expect(try words("type", point) == PointType.allCases.map(\.rawValue))
    #expect(try words("order", point) == ByteOrder.allCases.map(\.rawValue))
    let agent = try Self.schema("agent").fields("properties")
    let modes = try words("mode", agent.fields("gateway").fields("properties"))
    #expect(modes == MineMode.allCases.map(\.rawValue))
  }

  /// The keys that the agent lists when it meets one that looks like none of them.
  private func known(_ text: String) throws -> Set<String> {
    let lines = Fixtures.lines { () throws(ConfigurationProblems) in
      try Fixtures.load(text: text)
    }
    let line = try #require(lines.first { $0.contains("unknown key; known here: ") })
    let list = line.components(separatedBy: "known here: ")[1]
    return Set(list.components(separatedBy: ", "))
  }

  private func keys(_ place: JSONFields) -> Set<String> { Set(place.members.keys) }

  @Test("Its keys are those that the agent knows, in every section")
  func keysOfSections() throws {
    let strange = "zzzzzzzzzzzzzzzzzzzz"
    let agent = try Self.schema("agent").fields("properties")
    func section(_ text: String) throws -> Set<String> {
      try known("gateway: { id: a, mine: b, region: c }\n" + text)
    }
    let places: [(JSONFields, String)] = [
      (agent, "\(strange): 1"),
      (try agent.fields("storage").fields("properties"), "storage: { \(strange): 1 }"),
      (try named(agent, "buses"), "buses: { a: { \(strange): 1 } }"),
      (
        try named(agent, "buses").fields("rtu").fields("properties"),
        "buses: { a: { rtu: { \(strange): 1 } } }"
      ),
      (
        try named(agent, "buses").fields("tcp").fields("properties"),
        "buses: { a: { tcp: { \(strange): 1 } } }"
      ),
      (
        try named(agent, "buses").fields("rtu-over-tcp").fields("properties"),
        "buses: { a: { rtu-over-tcp: { \(strange): 1 } } }"
      ),
      (try named(agent, "devices"), "devices: { a: { \(strange): 1 } }"),
      (
        try Self.schema("profile").fields("$defs").fields("point").fields("properties"),
        "devices: { a: { points: { b: { \(strange): 1 } } } }"
      ),
      (
        try Self.schema("profile").fields("properties"),
        "devices: { a: { profile: broken/strange } }"
      ),
      (try named(agent, "uplinks"), "uplinks: { a: { \(strange): 1 } }"),
      (try named(agent, "lines"), "lines: { a: { \(strange): 1 } }"),
      (
        try named(agent, "lines").fields("frequency").fields("properties"),
        "lines: { a: { frequency: { \(strange): 1 } } }"
      ),
      (
        try named(agent, "lines").fields("pulse").fields("properties"),
        "lines: { a: { pulse: { \(strange): 1 } } }"
      ),
      (
        try Self.schema("agent").fields("$defs").fields("line").fields("properties"),
        "lines: { a: { line: { \(strange): 1 } } }"
      ),
      (try named(agent, "areas"), "areas: { a: { \(strange): 1 } }"),
      (
        try Self.schema("agent").fields("$defs").fields("gate").fields("properties"),
        "areas: { a: { gates: [ { \(strange): 1 } ] } }"
      ),
    ]
    for (place, text) in places {
      #expect(try section(text) == keys(place), "\(text)")
    }
  }

  /// The properties of the members of a section whose members have names.
  private func named(_ root: JSONFields, _ section: String) throws -> JSONFields {
    let members = try root.fields(section).fields("patternProperties").members
    return try JSONFields(try #require(members.first).value).fields("properties")
  }
}
