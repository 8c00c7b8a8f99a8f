import Telemetry

/// What a message is, by its topic and payload.
enum Content: Sendable, Hashable {
  case batch(ReceivedBatch, isHistory: Bool)
  case state(GatewayState)
  /// Health, with the gateway it is of.
  case health(GatewayHealth, gateway: String)
  case definitions(PointDefinitions)
  /// An empty payload, which clears a retained topic.
  case cleared
  /// A topic that the contract does not know, or that flows towards the agent.
  case other
  case malformed(PayloadError)

  /// Decodes a message; never fails, because one that can't be read is malformed.
  init(_ message: ArrivedMessage) {
    do throws(PayloadError) {
      self = try Self.decode(message)
    } catch {
      self = .malformed(error)
    }
  }

  private static func decode(_ message: ArrivedMessage) throws(PayloadError) -> Content {
    let topic = Topic(message.topic)
    switch topic.channel {
    case .data(let isHistory):
      return .batch(try BatchDecoder.batch(message.payload, of: .data), isHistory: isHistory)
    case .events(let isHistory):
      return .batch(try BatchDecoder.batch(message.payload, of: .events), isHistory: isHistory)
    case .other: return .other
    case .state, .health, .points: break
    }
    guard !message.payload.isEmpty else { return .cleared }
    switch topic.channel {
    case .state: return .state(try GatewayState(message.payload))
    case .health:
      let health = try GatewayHealth(message.payload)
      // The default prefix ends with the gateway's id.
      let last = topic.prefix.split(separator: "/").last.map(String.init)
      return .health(health, gateway: health.gateway ?? last ?? "")
    default: return .definitions(try PointDefinitions(message.payload))
    }
  }
}
