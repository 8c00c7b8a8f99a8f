/// What the broker said when it took the connection.
public struct ConnectAnswer: Sendable, Hashable {
  /// Whether the broker still had the session.
  public var isSessionPresent: Bool
  /// Publishes that the broker takes before it acknowledges the first; 65,535 where it says none.
  public var receiveMaximum: UInt16
  /// Bytes of the largest packet that the broker takes; `nil` for no limit stated.
  public var maximumPacketSize: UInt32?

  /// Makes an answer.
  public init(isSessionPresent: Bool, receiveMaximum: UInt16, maximumPacketSize: UInt32?) {
    self.isSessionPresent = isSessionPresent
    self.receiveMaximum = receiveMaximum
    self.maximumPacketSize = maximumPacketSize
  }
}

/// A reason code of MQTT 5 (section 2.4). Those of a 3.1.1 CONNACK are translated, so that there is
/// one list.
public struct MQTTReason: RawRepresentable, Sendable, Hashable {
  /// The code; from 0x80 on it is a failure.
  public var rawValue: UInt8

  /// Makes a reason of its code.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Done.
  public static let success = MQTTReason(rawValue: 0x00)
  /// Taken by the broker, but nobody subscribes to the topic.
  public static let noMatchingSubscribers = MQTTReason(rawValue: 0x10)
  /// Refused without saying why.
  public static let unspecified = MQTTReason(rawValue: 0x80)
  /// Refused for a reason of the broker's own.
  public static let implementationSpecific = MQTTReason(rawValue: 0x83)
  /// The broker does not speak this protocol version.
  public static let unsupportedVersion = MQTTReason(rawValue: 0x84)
  /// The broker does not take this client id.
  public static let clientIDNotValid = MQTTReason(rawValue: 0x85)
  /// User name or password is wrong.
  public static let badUserNameOrPassword = MQTTReason(rawValue: 0x86)
  /// The access rules deny it.
  public static let notAuthorised = MQTTReason(rawValue: 0x87)
  /// The broker is not available.
  public static let serverUnavailable = MQTTReason(rawValue: 0x88)
  /// The broker is busy: try again later.
  public static let serverBusy = MQTTReason(rawValue: 0x89)
  /// The client is banned.
  public static let banned = MQTTReason(rawValue: 0x8A)
  /// Another connection took the client id.
  public static let sessionTakenOver = MQTTReason(rawValue: 0x8E)
  /// The packet id is in use already.
  public static let packetIDInUse = MQTTReason(rawValue: 0x91)
  /// The packet is larger than the broker takes.
  public static let packetTooLarge = MQTTReason(rawValue: 0x95)
  /// Messages come too fast.
  public static let messageRateTooHigh = MQTTReason(rawValue: 0x96)
  /// A quota of the broker is used up.
  public static let quotaExceeded = MQTTReason(rawValue: 0x97)
  /// The payload is not what its format says.
  public static let payloadFormatInvalid = MQTTReason(rawValue: 0x99)

  /// Whether what was asked for was not done.
  public var isFailure: Bool { rawValue >= 0x80 }
}

extension MQTTReason: CustomStringConvertible {
  /// The code as the specification writes it, such as `0x87`.
  public var description: String {
    "0x" + (rawValue < 16 ? "0" : "") + String(rawValue, radix: 16, uppercase: true)
  }
}

/// What happened on a connection.
public enum MQTTEvent: Sendable, Hashable {
  /// The broker took the connection: publishing may begin.
  case connected(ConnectAnswer)
  /// The broker answered and said no. The connection is over.
  case refused(MQTTReason)
  /// The connection is over.
  case disconnected(MQTTError)
  /// The fate of a publish: delivered to the broker, or refused by it. Version 3.1.1 knows no
  /// refusals. For `atMostOnce` it only means that the message was written to the socket.
  case acknowledged(id: Int32, reason: MQTTReason)
  /// The fate of a subscription; a success is the delivery granted, 0 to 2.
  case subscribed(id: Int32, reason: MQTTReason)
  /// A message arrived. It was acknowledged before this event is seen: libmosquitto offers no
  /// other way.
  case message(MQTTMessage)
}
