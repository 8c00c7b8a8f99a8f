internal import Buffering
internal import ConfigurationFile
internal import Drivers
internal import Telemetry
internal import Uplink

/// A batch becomes its MQTT payload.
final class Encode: Operation {
  let name: String
  private let batch: Batch
  private var encoder = PayloadEncoder(
    gateway: "gateway-1", destination: "province", agentVersion: "0")
  private var payload: [UInt8] = []

  init(samples count: Int) throws {
    name = "encode-\(count)x16"
    guard let batch = try storedBatch(of: ExampleMine.samples.prefix(count)) else {
      throw NotStored()
    }
    self.batch = batch
  }

  // The agent has let go of a payload, too, before it encodes the next.
  func prepare() { payload = [] }
  func run() { payload = encoder.encode(batch) }
  var payloadBytes: Int { payload.count }

  struct NotStored: Error {}
}

/// The text of a configuration of 256 points becomes a checked tree.
final class ReadConfiguration: Operation {
  let name = "configuration-256-points"
  private let text: [UInt8]
  private var tree: ConfigurationValue?

  init() throws {
    text = Array(Self.text.utf8)
    run()
    guard tree != nil else { throw Unreadable() }
  }

  func prepare() { tree = nil }
  func run() {
    tree = ConfigurationDocument.parse(text, file: "agent.yaml", log: ProblemLog())
  }

  struct Unreadable: Error {}

  private static var text: String {
    var lines = ["buses:", "  shaft:", "    tcp: { host: 192.0.2.1 }", "devices:"]
    for device in ExampleMine.bus.devices {
      lines += [
        "  \(device.name):", "    bus: shaft", "    unit: \(device.unit)", "    points:",
      ]
      for point in device.points {
        lines += [
          "      \(point.description.name):", "        input: \(point.address)",
          "        type: float32", "        unit: \"%CH4\"", "        range: [0, 4]",
        ]
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
