internal import Buffering
internal import Telemetry

/// The topics of one gateway, as the contract names them.
struct TopicLayout: Sendable, Hashable {
  let prefix: String

  var state: String { prefix + "/state" }
  var health: String { prefix + "/health" }

  func points(_ digest: UInt32) -> String {
    prefix + "/points/" + hexadecimal(UInt64(digest), digits: 8)
  }

  /// A topic without the prefix, as documents name it.
  func relative(_ topic: String) -> String {
    topic.hasPrefix(prefix + "/") ? String(topic.dropFirst(prefix.count + 1)) : topic
  }

  func batches(_ lane: Lane) -> String {
    prefix + "/\(lane.stream)" + (lane.isHistory ? "/history" : "")
  }
}

/// What batches of one stream are sent as.
struct Lane: Sendable, Hashable {
  var stream: StreamName
  var isHistory: Bool

  /// The most urgent first: alarms before values, and what is new before what is late.
  static let byUrgency = [
    Lane(stream: .events, isHistory: false), Lane(stream: .data, isHistory: false),
    Lane(stream: .events, isHistory: true), Lane(stream: .data, isHistory: true),
  ]
}
