/// The two versions of the protocol that brokers in the field speak.
public enum MQTTVersion: Sendable, Hashable, CaseIterable {
  case v5
  case v311
}

/// Everything a connection needs to know before it is made.
public struct MQTTSettings: Sendable, Hashable {
  /// Seconds of silence after which each side asks whether the other is there. A broker that froze
  /// is noticed after one to two of these.
  public static let keepAliveDefault: UInt16 = 15
  /// libmosquitto refuses a shorter one.
  public static let keepAliveShortest: UInt16 = 5

  /// Host name or address.
  public var host: String
  /// TCP port.
  public var port: UInt16
  /// `nil` for a connection that everybody on the way can read.
  public var tls: TLSSettings?
  /// Unique on the broker: a second connection with it ends the first.
  public var clientID: String
  /// Protocol version.
  public var version: MQTTVersion
  /// `nil` for an anonymous connection.
  public var username: String?
  /// Without a NUL byte; only with a user name.
  public var password: [UInt8]?
  /// Whether the broker forgets what it kept for this client id.
  public var startsClean: Bool
  /// How long the broker keeps the session after the connection; version 5 only.
  public var sessionExpirySeconds: UInt32
  /// Seconds, at least `keepAliveShortest`.
  public var keepAliveSeconds: UInt16
  /// What the broker publishes if the connection ends without a DISCONNECT.
  public var will: MQTTMessage?
  /// How many unacknowledged messages the broker may send to us; `nil`: the library's 20.
  public var receiveMaximum: UInt16?

  /// Makes settings; the defaults are those of a clean, anonymous version 5 connection.
  public init(
    host: String, port: UInt16, tls: TLSSettings? = nil, clientID: String,
    version: MQTTVersion = .v5,
    username: String? = nil, password: [UInt8]? = nil, startsClean: Bool = true,
    sessionExpirySeconds: UInt32 = 0, keepAliveSeconds: UInt16 = keepAliveDefault,
    will: MQTTMessage? = nil, receiveMaximum: UInt16? = nil
  ) {
    self.host = host
    self.port = port
    self.tls = tls
    self.clientID = clientID
    self.version = version
    self.username = username
    self.password = password
    self.startsClean = startsClean
    self.sessionExpirySeconds = sessionExpirySeconds
    self.keepAliveSeconds = keepAliveSeconds
    self.will = will
    self.receiveMaximum = receiveMaximum
  }
}
