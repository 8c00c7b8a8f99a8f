internal import Buffering
internal import ConfigurationFile
internal import Drivers
internal import MQTT
internal import Telemetry

/// Everything the configuration files say, checked: whatever has this type can be run.
struct AgentConfiguration: Sendable, Hashable {
  /// Who and where this gateway is.
  var gateway: GatewayConfiguration
  /// The board file that `gateway.board` names.
  var board: BoardDescription
  /// Where and how much is kept.
  var storage: StorageConfiguration
  /// Where `edge-agent status` reaches the agent: the path of a Unix socket.
  var controlSocket: String
  /// The buses with their devices, both in the file's order.
  var buses: [ModbusBusDefinition]
  /// The GPIO inputs in the file's order.
  var lines: [LineDefinition] = []
  /// The names of those that say themselves which voltage is the active one.
  var linesWithActive: Set<String> = []
  /// The areas whose people are counted, in the file's order.
  var areas: [AreaDefinition] = []
  /// The destinations in the file's order; at least one.
  var uplinks: [UplinkConfiguration]

  /// What the points of devices, lines and areas are, in this order, each in the file's; the digest
  /// of the point definitions is made of it.
  var deviceDescriptions: [DeviceDescription] {
    buses.flatMap(\.devices).map {
      DeviceDescription(name: $0.name, points: $0.points.map(\.description))
    }
      + lines.map { DeviceDescription(name: $0.name, points: $0.points) }
      + areas.map { DeviceDescription(name: $0.name, points: $0.points) }
  }
}

/// What the mine does at present.
enum MineMode: String, Sendable, Hashable, CaseIterable {
  case producing
  case repair
  case idle
}

/// The `gateway` section.
struct GatewayConfiguration: Sendable, Hashable {
  /// Unique in the monitoring network.
  var id: String
  /// The mine's code.
  var mine: String
  /// The code of province, city and county.
  var region: String
  /// The mine's name in the operator's words, if given.
  var name: String?
  /// What the mine does at present.
  var mode: MineMode
  /// The name of the board file.
  var board: String
}

/// The `storage` section.
struct StorageConfiguration: Sendable, Hashable {
  /// The store's directory, an absolute path.
  var directory: String
  /// The most bytes that the data stream keeps.
  var dataBytes: Int64
  /// The longest time between an append to the data stream and its sync.
  var commitMilliseconds: Int64
  /// The most bytes that the events stream keeps.
  var eventBytes: Int64
  /// What the store leaves free of its file system.
  var keepFreeBytes: Int64
  /// How long a destination that was taken out holds what it has not acknowledged.
  var keepRemovedMilliseconds: Int64
}

/// Where a broker listens.
struct BrokerAddress: Sendable, Hashable {
  /// A host name or an address; an IPv6 address without brackets.
  var host: String
  /// The TCP port.
  var port: UInt16
}

/// The version of MQTT that is spoken with a broker.
enum MQTTProtocolVersion: String, Sendable, Hashable, CaseIterable {
  case v5 = "5"
  case v311 = "3.1.1"
}

/// One destination of the `uplinks` section.
struct UplinkConfiguration: Sendable, Hashable {
  /// The destination's configured name.
  var name: String
  /// Its brokers, tried in turn; at least one.
  var brokers: [BrokerAddress]
  /// What secures the connections; `nil` for `mqtt://`.
  var tls: TLSSettings?
  /// The version of MQTT.
  var protocolVersion: MQTTProtocolVersion
  /// The client id of the connection.
  var clientID: String
  /// The user name, if the broker asks for one.
  var username: String?
  /// The file that holds the password; only with a user name.
  var passwordFile: String?
  /// What all topics begin with; no slash at its end.
  var topicPrefix: String
  /// Where its delivery begins when it is new.
  var beginning: DestinationBeginning
  /// The fastest that history is sent.
  var historyRate: ByteRate
  /// The most of the window's credits that history takes, 1…100.
  var historySharePercent: Int

  /// The brokers as `url` names them.
  var brokerURLs: [String] {
    let scheme: BrokerURL.Scheme = tls == nil ? .plain : .secure
    return brokers.map { broker in
      let host = broker.host.contains(":") ? "[\(broker.host)]" : broker.host
      return "\(scheme.rawValue)://\(host):\(broker.port)"
    }
  }
}
