/// How surely a message is delivered. Exactly once is left out: no batch needs it, because the
/// receiver drops repeats by identity.
public enum MQTTQoS: UInt8, Sendable, Hashable, CaseIterable {
  case atMostOnce = 0
  case atLeastOnce = 1
}

/// A message as it is published or as it arrived.
public struct MQTTMessage: Sendable, Hashable {
  /// The topic, without wildcards.
  public var topic: String
  /// The bytes; none clear a retained topic.
  public var payload: [UInt8]
  /// The delivery asked for.
  public var qos: MQTTQoS
  /// Sent: the broker keeps it. Received: the broker had kept it.
  public var isRetained: Bool

  /// Makes a message.
  public init(
    topic: String, payload: [UInt8], qos: MQTTQoS = .atLeastOnce, isRetained: Bool = false
  ) {
    self.topic = topic
    self.payload = payload
    self.qos = qos
    self.isRetained = isRetained
  }
}
