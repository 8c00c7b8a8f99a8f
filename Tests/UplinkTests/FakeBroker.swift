import Glibc
import LinuxSystem
import TestSupport

/// A broker that speaks just enough MQTT 5 to say what mosquitto never does: chosen PUBACK reasons,
/// or none. One connection at a time.
final class FakeBroker: Sendable {
  enum Reply {
    case acknowledge(reason: UInt8)
    case withhold
    case close
  }

  struct Publish {
    var topic: String
    var payload: [UInt8]
    /// Publishes of this connection that are not acknowledged, with this one.
    var unacknowledged: Int
  }

  let port: UInt16
  private let listener: Int32
  private let seen = Monitor<[Publish]>([])
  private let connected = Monitor<Int32>(-1)

  /// `reply` decides on each publish; it runs on the broker's thread.
  init(
    receiveMaximum: UInt16 = 100, reply: @escaping @Sendable (Publish) -> Reply
  ) throws {
    port = try LoopbackPorts.free()
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    self.listener = listener
    var address = loopbackAddress(port)
    let isListening = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
    guard isListening, listen(listener, 4) == 0 else {
      throw SystemError(call: "listen", subject: "\(port)", code: errno)
    }
    try Thread.start(named: "fake-broker") { [weak self] in
      while true {
        let client = accept(listener, nil, nil)
        guard client >= 0 else { break }
        guard let self else {
          close(client)
          break
        }
        connected.withLock { $0 = client }
        serve(client, receiveMaximum, reply)
        connected.withLock { $0 = -1 }
        close(client)
      }
      close(listener)
    }
  }

  deinit { _ = shutdown(listener, Int32(SHUT_RDWR)) }

  var publishes: [Publish] { seen.withLock { $0 } }

  private func serve(
    _ client: Int32, _ receiveMaximum: UInt16, _ reply: (Publish) -> Reply
  ) {
    var unacknowledged = 0
    while let (kind, body) = packet(from: client) {
      switch kind >> 4 {
      case 1:
        let maximum = [UInt8(receiveMaximum >> 8), UInt8(receiveMaximum & 0xFF)]
        send(client, [0x20, 6, 0, 0, 3, 0x21] + maximum)
      case 3:
        let length = Int(body[0]) << 8 | Int(body[1])
        let rest = Array(body[(2 + length)...])
        unacknowledged += 1
        let publish = Publish(
          topic: String(decoding: body[2..<(2 + length)], as: UTF8.self),
          payload: Array(rest[3...]), unacknowledged: unacknowledged)
        seen.withLock { $0.append(publish) }
        switch reply(publish) {
        case .acknowledge(let reason):
          unacknowledged -= 1
          send(client, [0x40, 3, rest[0], rest[1], reason])
        case .withhold: break
        case .close: return
        }
      case 12: send(client, [0xD0, 0])
      case 14: return
      default: break
      }
    }
  }

  private func packet(from client: Int32) -> (kind: UInt8, body: [UInt8])? {
    guard let kind = bytes(1, from: client)?.first else { return nil }
    var length = 0
    var shift = 0
    while let byte = bytes(1, from: client)?.first {
      length |= Int(byte & 0x7F) << shift
      shift += 7
      if byte & 0x80 == 0 { break }
    }
    guard let body = bytes(length, from: client) else { return nil }
    return (kind, body)
  }

  private func bytes(_ count: Int, from client: Int32) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: count)
    var have = 0
    while have < count {
      let added = buffer.withUnsafeMutableBytes { raw in
        recv(client, raw.baseAddress?.advanced(by: have), count - have, 0)
      }
      if added <= 0 { return nil }
      have += added
    }
    return buffer
  }

  private func send(_ client: Int32, _ bytes: [UInt8]) {
    _ = Glibc.send(client, bytes, bytes.count, Int32(MSG_NOSIGNAL))
  }
}
