import ConfigurationFile
import Testing

@testable import EdgeAgent

@Suite("What a reload has to do")
struct ConfigurationDifferenceTests {
  static let lines = [
    #"gateway: { id: gw-1, mine: "0520", region: "520201" }"#,
    "storage: { directory: /var/lib/edge-agent, data: { size: 16MiB, commit: 1s } }",
    "control: { socket: /run/edge-agent/control.sock }",
    "buses:",
    "  station: { tcp: { host: 10.20.0.5 } }",
    "  meters: { tcp: { host: 10.20.0.6 } }",
    "devices:",
    "  fan: { bus: station, unit: 3, points: { running: { discrete: 0 } } }",
    "  meter: { bus: meters, unit: 1, points: { power: { input: 0, type: float32, unit: W } } }",
    "uplinks:",
    "  province: { url: mqtt://broker.example }",
    "  group: { url: mqtt://10.0.0.2 }",
  ]

  /// What changes when some text of the file does.
  func difference(_ changes: (String, String)...) throws -> ConfigurationDifference {
    let old = Self.lines.joined(separator: "\n") + "\n"
    var new = old
    for (text, replacement) in changes {
      try #require(new.contains(text))
      new = new.replacing(text, with: replacement)
    }
    return ConfigurationDifference(from: try load(old), to: try load(new))
  }

  private func load(_ text: String) throws -> AgentConfiguration {
    try AgentConfiguration.load(
      Array(text.utf8), file: "agent.yaml", boards: BoardDirectories([]))
  }

  @Test("The same file changes nothing")
  func nothing() throws {
    #expect(try difference() == ConfigurationDifference())
  }

  @Test("A device's change renews its bus and no other part")
  func device() throws {
    var expected = ConfigurationDifference()
    expected.endingBuses = ["station"]
    expected.beginningBuses = ["station"]
    #expect(try difference(("discrete: 0", "discrete: 1")) == expected)
  }

  @Test("A renamed bus ends under its old name and begins under its new one")
  func renamedBus() throws {
    var expected = ConfigurationDifference()
    expected.endingBuses = ["meters"]
    expected.beginningBuses = ["powers"]
    #expect(try difference(("meters", "powers")) == expected)
  }

  @Test("A destination that is removed only ends")
  func removedUplink() throws {
    var expected = ConfigurationDifference()
    expected.endingUplinks = ["group"]
    #expect(try difference(("  group: { url: mqtt://10.0.0.2 }\n", "")) == expected)
  }

  @Test(
    "What names batches or holds the store takes a restart",
    arguments: [
      ("id: gw-1", "id: gw-2", "gateway.id"),
      ("directory: /var/lib/edge-agent", "directory: /data", "storage.directory"),
      ("size: 16MiB", "size: 32MiB", "storage.data.size"),
      ("commit: 1s", "commit: 5s", "storage.data.commit"),
      ("directory:", "keep-removed: 1d, directory:", "storage.keep-removed"),
      ("control.sock", "other.sock", "control.socket"),
    ])
  func restart(old: String, new: String, key: String) throws {
    #expect(try difference((old, new)).needsRestart == [key])
  }
}
