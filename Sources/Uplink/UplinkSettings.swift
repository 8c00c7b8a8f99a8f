public import Buffering
public import MQTT

/// Where a broker listens.
public struct UplinkEndpoint: Sendable, Hashable {
  /// Host name or address.
  public var host: String
  /// TCP port.
  public var port: UInt16

  /// Makes an endpoint.
  public init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }
}

/// A destination as configured.
public struct UplinkSettings: Sendable, Hashable {
  /// Publishes in flight where nothing else is configured: more than a slow link needs to stay
  /// busy, few enough that little is sent twice after a loss.
  public static let windowDefault = 20
  /// Share of the window that history may use where nothing else is configured.
  public static let historyShareDefault = 0.5
  /// Bytes a second of history where nothing else is configured.
  public static let historyRateDefault = 64 * 1024

  /// The name under `uplinks`, which names its cursor in the store.
  public var name: DestinationName
  /// At least one; tried in turn.
  public var endpoints: [UplinkEndpoint]
  /// What secures the connections to all of them; `nil` for none.
  public var tls: TLSSettings?
  /// Protocol version.
  public var version: MQTTVersion
  /// Unique on the broker.
  public var clientID: String
  /// `nil` for an anonymous connection.
  public var username: String?
  /// Read at each connection, so that a new password needs no restart.
  public var passwordFile: String?
  /// Without a slash at its end.
  public var topicPrefix: String
  /// The gateway's id, unique in the monitoring network.
  public var gateway: String
  /// The agent's version, for `state`.
  public var agentVersion: String
  /// Bytes a second of history; `nil` for no limit.
  public var historyRate: Int?
  /// Share of the window that history may use, above 0 and at most 1.
  public var historyShare: Double
  /// Publishes in flight at most; the broker may ask for fewer.
  public var window: Int

  /// Makes settings; what has a default in the contract has it here.
  public init(
    name: DestinationName, endpoints: [UplinkEndpoint], tls: TLSSettings? = nil,
    version: MQTTVersion = .v5, clientID: String, username: String? = nil,
    passwordFile: String? = nil, topicPrefix: String, gateway: String, agentVersion: String,
    historyRate: Int? = historyRateDefault,
    historyShare: Double = historyShareDefault, window: Int = windowDefault
  ) {
    precondition(!endpoints.isEmpty, "an uplink needs an endpoint")
    self.name = name
    self.endpoints = endpoints
    self.tls = tls
    self.version = version
    self.clientID = clientID
    self.username = username
    self.passwordFile = passwordFile
    self.topicPrefix = topicPrefix
    self.gateway = gateway
    self.agentVersion = agentVersion
    self.historyRate = historyRate
    self.historyShare = historyShare
    self.window = window
  }
}
