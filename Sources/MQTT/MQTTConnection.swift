internal import CMosquitto
internal import Glibc
public import LinuxSystem

/// One connection to a broker. Used once: connect, serve until it is over, release, make a new one;
/// a libmosquitto handle that connects again would send its unacknowledged messages by itself.
///
/// It belongs to the thread that made it (not `Sendable`) and never blocks, except in the look-up
/// of a host name.
public final class MQTTConnection {
  private let settings: MQTTSettings
  // Taken in `init`, released in `deinit`, never handed out.
  private let handle: OpaquePointer
  private let inbox: MQTTInbox
  private let tls: TLSSession?
  // The TCP handshake is under way: libmosquitto does not look at its outcome.
  private var isOpening = false

  /// Makes a connection that is not opened yet; fails for settings that the library refuses, and if
  /// a file of `settings.tls` can't be used.
  public init(_ settings: MQTTSettings) throws(MQTTError) {
    _ = MQTTLibrary.isReady
    self.settings = settings
    tls = try Self.session(settings)
    inbox = MQTTInbox(tls: tls)
    let context = Unmanaged.passUnretained(inbox).toOpaque()
    guard let handle = mosquitto_new(settings.clientID, settings.startsClean, context) else {
      throw MQTTError.unusable("client id \"\(settings.clientID)\": not UTF-8, or empty and kept")
    }
    self.handle = handle
    MQTTInbox.register(on: handle)
    try configure()
  }

  deinit { mosquitto_destroy(handle) }

  /// Begins to connect; the outcome arrives as an event. Only the name look-up may block.
  public func connect() throws(MQTTError) {
    try setSessionExpiry()
    let code = mosquitto_connect_async(
      handle, settings.host, Int32(settings.port), Int32(settings.keepAliveSeconds))
    let errorNumber = errno
    switch code {
    case 0, MOSQ_ERR_CONN_PENDING.rawValue:
      isOpening = true
    case MOSQ_ERR_TLS.rawValue:
      // A broker nearby may refuse, or answer, before the call returns.
      let error = inbox.socketError(ECONNRESET)
      guard case .tls(.notSpoken) = error else { throw error }
      throw .socket(SystemError(call: "connect", subject: address, code: ECONNREFUSED))
    case MOSQ_ERR_EAI.rawValue:
      throw .nameUnknown(host: settings.host)
    case MOSQ_ERR_ERRNO.rawValue:
      throw .socket(SystemError(call: "connect", subject: address, code: errorNumber))
    default:
      throw Self.error(code, in: "mosquitto_connect_async")
    }
  }

  /// Waits until something happened, at most `milliseconds`, and returns what did. Returns at once
  /// when something had happened already, and early when `waker` is signalled (which it clears).
  public func serve(forMilliseconds milliseconds: Int, wakenBy waker: EventFD?) -> [MQTTEvent] {
    let socket = inbox.isOver ? -1 : mosquitto_socket(handle)
    // poll passes over negative descriptors.
    var descriptors = [
      pollfd(fd: socket, events: Int16(POLLIN), revents: 0),
      pollfd(fd: waker?.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
    ]
    if wantsWrite { descriptors[0].events |= Int16(POLLOUT) }
    var timeout = inbox.events.isEmpty ? max(0, milliseconds) : 0
    if socket >= 0 { timeout = min(timeout, keepAliveCheckMilliseconds) }
    let ready = poll(&descriptors, 2, Int32(clamping: timeout))

    if ready > 0, descriptors[1].revents != 0 { waker?.clear() }
    if socket >= 0 { serve(socket, ready > 0 ? Int32(descriptors[0].revents) : 0) }
    return inbox.takeEvents()
  }

  /// Hands a message to the broker and returns its packet id, which its acknowledgement will bear.
  /// Only while connected: libmosquitto would keep what it refuses. Any error but `tooLarge` means
  /// that the connection is over.
  public func publish(_ message: MQTTMessage) throws(MQTTError) -> Int32 {
    guard inbox.isConnected, !inbox.isOver else { throw .notConnected }
    // The library's own check counts one byte too few for version 5, and the broker would close.
    if let limit = inbox.maximumPacketSize, packetSize(of: message) > limit {
      throw .tooLarge(bytes: packetSize(of: message), limit: Int(limit))
    }
    var id: Int32 = 0
    let code = message.payload.withUnsafeBytes { bytes in
      mosquitto_publish_v5(
        handle, &id, message.topic, Int32(bytes.count), bytes.baseAddress,
        Int32(message.qos.rawValue), message.isRetained, nil)
    }
    guard code == 0 else { throw over(with: code, in: "mosquitto_publish") }
    return id
  }

  /// Asks for messages whose topic matches `filter`, at least once; returns the packet id.
  public func subscribe(to filter: String) throws(MQTTError) -> Int32 {
    guard inbox.isConnected, !inbox.isOver else { throw .notConnected }
    var id: Int32 = 0
    let code = mosquitto_subscribe(handle, &id, filter, Int32(MQTTQoS.atLeastOnce.rawValue))
    guard code == 0 else { throw over(with: code, in: "mosquitto_subscribe \(filter)") }
    return id
  }

  /// Sends a DISCONNECT, so that the will is not published, as far as the socket takes it now; what
  /// is left goes out while the connection is served until `disconnected(.orderly)`.
  public func disconnect() {
    guard inbox.isConnected, !inbox.isOver else { return }
    mosquitto_disconnect_v5(handle, Int32(MQTTReason.success.rawValue), nil)
  }
}

extension MQTTConnection {
  /// Packets read in one round at most, so that a flood leaves room for publishing.
  private static let packetsPerRound = 64

  /// How often keep-alive is looked at. The broker waits 1.5 keep-alive times for a packet; a
  /// quarter late leaves half of its patience.
  private var keepAliveCheckMilliseconds: Int { Int(settings.keepAliveSeconds) * 1000 / 4 }

  /// libmosquitto's own word is not to be had in a handshake: it stays true while the broker is to
  /// speak, and the processor would never rest.
  private var wantsWrite: Bool {
    if isOpening { return true }
    return isShakingHands ? tls?.wantsWrite == true : mosquitto_want_write(handle)
  }

  private var isShakingHands: Bool { tls?.isEstablished == false }

  private static func session(_ settings: MQTTSettings) throws(MQTTError) -> TLSSession? {
    guard let tls = settings.tls else { return nil }
    do throws(TLSFailure) {
      return try TLSSession(tls, host: settings.host)
    } catch {
      throw .tls(error)
    }
  }

  private var address: String { "\(settings.host):\(settings.port)" }

  private func configure() throws(MQTTError) {
    let version = settings.version == .v5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311
    try set(MOSQ_OPT_PROTOCOL_VERSION, version)
    // A sample is worth more now than 40 ms later in a fuller segment.
    try set(MOSQ_OPT_TCP_NODELAY, 1)
    // The caller counts what is in flight; a queue in the library would hide from it.
    try set(MOSQ_OPT_SEND_MAXIMUM, Int32(UInt16.max))
    if let most = settings.receiveMaximum { try set(MOSQ_OPT_RECEIVE_MAXIMUM, Int32(most)) }

    if let tls {
      // The context is complete; what libmosquitto would add needs files that it reads itself.
      try set(MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0)
      let code = mosquitto_void_option(
        handle, MOSQ_OPT_SSL_CTX, UnsafeMutableRawPointer(tls.context))
      guard code == 0 else { throw Self.error(code, in: "mosquitto_void_option \(code)") }
    }
    if settings.keepAliveSeconds < MQTTSettings.keepAliveShortest {
      throw .unusable(
        "keep-alive \(settings.keepAliveSeconds) s; at least \(MQTTSettings.keepAliveShortest) s")
    }
    if let username = settings.username {
      let password = settings.password.map { $0 + [0] }
      if let bytes = settings.password, bytes.contains(0) {
        throw .unusable("password with a NUL byte; none is allowed")
      }
      let code = password.withBytes { mosquitto_username_pw_set(handle, username, $0) }
      guard code == 0 else { throw Self.error(code, in: "mosquitto_username_pw_set") }
    }
    if let will = settings.will {
      let code = will.payload.withUnsafeBytes { bytes in
        mosquitto_will_set_v5(
          handle, will.topic, Int32(bytes.count), bytes.baseAddress, Int32(will.qos.rawValue),
          will.isRetained, nil)
      }
      guard code == 0 else { throw Self.error(code, in: "mosquitto_will_set \(will.topic)") }
    }
  }

  private func set(_ option: mosq_opt_t, _ value: Int32) throws(MQTTError) {
    let code = mosquitto_int_option(handle, option, value)
    guard code == 0 else {
      throw Self.error(code, in: "mosquitto_int_option \(option.rawValue) = \(value)")
    }
  }

  /// CONNECT properties can be given to the blocking connect only. It copies them before it looks
  /// at the keep-alive, so one that it refuses leaves them in place and connects to nothing.
  private func setSessionExpiry() throws(MQTTError) {
    guard settings.version == .v5, settings.sessionExpirySeconds > 0 else { return }
    var properties: OpaquePointer?
    defer { mosquitto_property_free_all(&properties) }
    mosquitto_property_add_int32(
      &properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL.identifier, settings.sessionExpirySeconds)
    let refusedKeepAlive: Int32 = 1
    let code = mosquitto_connect_bind_v5(
      handle, settings.host, Int32(settings.port), refusedKeepAlive, nil, properties)
    guard code == MOSQ_ERR_INVAL.rawValue else {
      throw Self.error(code, in: "mosquitto_connect_bind_v5 with session expiry")
    }
  }

  private func serve(_ socket: Int32, _ ready: Int32) {
    if isOpening {
      guard ready != 0 else { return }
      isOpening = false
      if let error = Self.pendingError(of: socket, address) {
        inbox.end(.disconnected(.socket(error)))
        return
      }
    }
    if isShakingHands {
      shakeHands(ready)
      return
    }
    if ready & (POLLIN | POLLHUP | POLLERR) != 0 { read() }
    if !inbox.isOver, ready & POLLOUT != 0 { _ = mosquitto_loop_write(handle, 1) }
    if !inbox.isOver { _ = mosquitto_loop_misc(handle) }
    // The library may close its socket without calling back.
    if !inbox.isOver, mosquitto_socket(handle) < 0 { inbox.end(.disconnected(.closed(nil))) }
  }

  /// Goes on with the handshake, whose steps libmosquitto takes in `mosquitto_loop_read` only.
  private func shakeHands(_ ready: Int32) {
    guard ready != 0 else { return }
    _ = mosquitto_loop_read(handle, 1)
    guard !inbox.isOver, isShakingHands else { return }
    // It does not call back for a handshake that failed, and would go on for ever with one whose
    // socket is lost.
    if mosquitto_socket(handle) < 0 || ready & (POLLHUP | POLLERR) != 0 {
      inbox.end(.disconnected(inbox.socketError(ECONNRESET)))
    }
  }

  private func read() {
    for _ in 0..<Self.packetsPerRound {
      let count = inbox.events.count
      let code = mosquitto_loop_read(handle, 1)
      // Nothing new: half a packet, a ping answer, or an empty socket.
      if code != 0 || inbox.isOver || inbox.events.count == count { return }
    }
  }

  /// Bytes of the PUBLISH packet: fixed header, topic, packet id, properties, payload.
  private func packetSize(of message: MQTTMessage) -> Int {
    let id = message.qos == .atMostOnce ? 0 : 2
    let properties = settings.version == .v5 ? 1 : 0
    let remaining = 2 + message.topic.utf8.count + id + properties + message.payload.count
    // The length of the rest is written in groups of seven bits.
    let lengthBytes = remaining < 1 << 7 ? 1 : remaining < 1 << 14 ? 2 : remaining < 1 << 21 ? 3 : 4
    return 1 + lengthBytes + remaining
  }

  /// A call on an open connection failed: it is over.
  private func over(with code: Int32, in call: String) -> MQTTError {
    let errorNumber = errno
    let error =
      switch code {
      case MOSQ_ERR_NO_CONN.rawValue, MOSQ_ERR_CONN_LOST.rawValue: MQTTError.closed(nil)
      case MOSQ_ERR_ERRNO.rawValue: inbox.socketError(errorNumber)
      default: Self.error(code, in: call)
      }
    inbox.end(.disconnected(error))
    return error
  }

  private static func error(_ code: Int32, in call: String) -> MQTTError {
    .library(call: call, code: code, text: String(cString: mosquitto_strerror(code)))
  }

  private static func pendingError(of socket: Int32, _ address: String) -> SystemError? {
    var code: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    guard getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &size) == 0 else { return nil }
    if code == 0, !hasPeer(socket) {
      // OpenSSL's first write took the error with it. Only a host nearby refuses so soon.
      code = ECONNREFUSED
    }
    return code == 0 ? nil : SystemError(call: "connect", subject: address, code: code)
  }

  /// Whether a socket is connected.
  private static func hasPeer(_ socket: Int32) -> Bool {
    var address = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        getpeername(socket, $0, &size) == 0
      }
    }
  }
}

/// What the library needs once a process.
private enum MQTTLibrary {
  static let isReady: Bool = {
    mosquitto_lib_init()
    // libmosquitto writes without MSG_NOSIGNAL: a broker that is gone would end the process.
    signal(SIGPIPE, SIG_IGN)
    return true
  }()
}

extension Optional<[UInt8]> {
  /// Calls `body` with the bytes as C text, or with NULL.
  fileprivate func withBytes<Result>(_ body: (UnsafePointer<CChar>?) -> Result) -> Result {
    guard let self else { return body(nil) }
    return self.withUnsafeBytes { bytes in
      body(bytes.baseAddress?.assumingMemoryBound(to: CChar.self))
    }
  }
}
