internal import CMosquitto
internal import Glibc
internal import LinuxSystem

/// Where libmosquitto's callbacks put what happened: they only enqueue, because the library holds
/// a lock while it calls them. Belongs to the connection's thread.
final class MQTTInbox {
  private(set) var events: [MQTTEvent] = []
  private(set) var isConnected = false
  /// Refused or disconnected: nothing follows.
  private(set) var isOver = false
  private(set) var maximumPacketSize: UInt32?
  private let tls: TLSSession?

  /// `tls` for a connection that is to be secure.
  init(tls: TLSSession?) { self.tls = tls }

  func takeEvents() -> [MQTTEvent] {
    defer { events.removeAll(keepingCapacity: true) }
    return events
  }

  /// Enqueues the last event of a connection, once: the library reports some endings twice.
  func end(_ event: MQTTEvent) {
    guard !isOver else { return }
    isOver = true
    events.append(event)
  }

  func connected(_ answer: ConnectAnswer) {
    isConnected = true
    maximumPacketSize = answer.maximumPacketSize
    events.append(.connected(answer))
  }

  func append(_ event: MQTTEvent) { events.append(event) }

  /// Why a connection ended, by an error number: endings by the broker are told apart from the
  /// network's.
  func socketError(_ code: Int32) -> MQTTError {
    if !isConnected, let failure = tls?.failure { return .tls(failure) }
    switch code {
    case ECONNRESET, EPIPE: return .closed(nil)
    // Whatever breaks a secure connection, libmosquitto calls it a protocol error.
    case EPROTO where tls != nil: return .closed(nil)
    default: return .socket(SystemError(call: "socket", subject: "", code: code))
    }
  }
}

extension MQTTInbox {
  /// Sets all callbacks of a handle whose context is an inbox.
  static func register(on handle: OpaquePointer) {
    mosquitto_connect_v5_callback_set(handle) { _, context, reason, flags, properties in
      MQTTInbox.at(context)?.connectAnswered(reason, flags: flags, properties)
    }
    mosquitto_disconnect_v5_callback_set(handle) { _, context, code, _ in
      let errorNumber = errno
      guard let inbox = MQTTInbox.at(context) else { return }
      inbox.end(.disconnected(inbox.ending(code, errorNumber)))
    }
    mosquitto_publish_v5_callback_set(handle) { _, context, id, reason, _ in
      MQTTInbox.at(context)?.append(
        .acknowledged(id: id, reason: MQTTReason(rawValue: UInt8(truncatingIfNeeded: reason))))
    }
    mosquitto_subscribe_callback_set(handle) { _, context, id, count, granted in
      let reason = count > 0 ? granted?.pointee ?? 0x80 : 0x80
      MQTTInbox.at(context)?.append(
        .subscribed(id: id, reason: MQTTReason(rawValue: UInt8(truncatingIfNeeded: reason))))
    }
    mosquitto_message_callback_set(handle) { _, context, message in
      guard let message = message?.pointee, let topic = message.topic else { return }
      let payload = UnsafeRawBufferPointer(start: message.payload, count: Int(message.payloadlen))
      MQTTInbox.at(context)?.append(
        .message(
          MQTTMessage(
            topic: String(cString: topic), payload: [UInt8](payload),
            qos: message.qos == 0 ? .atMostOnce : .atLeastOnce, isRetained: message.retain)))
    }
  }

  private static func at(_ context: UnsafeMutableRawPointer?) -> MQTTInbox? {
    context.map { Unmanaged<MQTTInbox>.fromOpaque($0).takeUnretainedValue() }
  }

  private func connectAnswered(_ code: Int32, flags: Int32, _ properties: OpaquePointer?) {
    guard code == 0 else {
      end(.refused(Self.refusal(code)))
      return
    }
    var receiveMaximum = UInt16.max
    var packetSize: UInt32 = 0
    mosquitto_property_read_int16(
      properties, MQTT_PROP_RECEIVE_MAXIMUM.identifier, &receiveMaximum, false)
    mosquitto_property_read_int32(
      properties, MQTT_PROP_MAXIMUM_PACKET_SIZE.identifier, &packetSize, false)
    connected(
      ConnectAnswer(
        isSessionPresent: flags & 1 != 0, receiveMaximum: receiveMaximum,
        maximumPacketSize: packetSize == 0 ? nil : packetSize))
  }

  /// The return codes 1 to 5 of a 3.1.1 CONNACK (section 3.2.2.3) in the words of version 5.
  private static func refusal(_ code: Int32) -> MQTTReason {
    switch code {
    case 1: .unsupportedVersion
    case 2: .clientIDNotValid
    case 3: .serverUnavailable
    case 4: .badUserNameOrPassword
    case 5: .notAuthorised
    default: MQTTReason(rawValue: UInt8(truncatingIfNeeded: code))
    }
  }

  private func ending(_ code: Int32, _ errorNumber: Int32) -> MQTTError {
    switch code {
    case 0: .orderly
    // Codes of a DISCONNECT packet begin where failures do, the library's own lie far below.
    case 0x80...0xFF: .closed(MQTTReason(rawValue: UInt8(truncatingIfNeeded: code)))
    case MOSQ_ERR_CONN_LOST.rawValue, MOSQ_ERR_NO_CONN.rawValue: socketError(ECONNRESET)
    case MOSQ_ERR_KEEPALIVE.rawValue: .silent
    case MOSQ_ERR_ERRNO.rawValue: socketError(errorNumber)
    default:
      .library(
        call: "mosquitto_loop", code: code, text: String(cString: mosquitto_strerror(code)))
    }
  }
}

extension mqtt5_property {
  /// As the functions that read and add properties take it.
  var identifier: Int32 { Int32(rawValue) }
}
