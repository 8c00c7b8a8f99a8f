import Glibc
import LinuxSystem
import TestSupport
import Testing

@testable import MineSimulator

/// The server closed the connection where a frame was to come.
struct ClosedConnection: Error {}

/// A TCP client that sends and receives bytes as they are.
final class RawClient {
  private let descriptor: Int32
  private var decoder = TCPFrameDecoder()

  /// Connects, or throws what `connect` said.
  init(port: UInt16) throws {
    descriptor = try systemCall("socket") {
      socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    }
    var patience = timeval(tv_sec: Int(patienceSeconds), tv_usec: 0)
    setsockopt(
      descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    var address = loopbackAddress(port)
    try systemCall("connect") {
      withUnsafeBytes(of: &address) { bytes in
        connect(
          descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self),
          socklen_t(bytes.count))
      }
    }
  }

  deinit { close(descriptor) }

  func send(_ bytes: [UInt8]) throws {
    let sent = try systemCall("send") {
      Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }
    #expect(sent == bytes.count)
  }

  func send(_ transaction: UInt16, unit: UInt8, _ function: UInt8, _ start: Int, _ count: Int)
    throws
  {
    let pdu = SlaveTests.request(function, start, count)
    try send(TCPFrame(transaction: transaction, unit: unit, pdu: pdu).bytes)
  }

  /// What comes next, empty at the end of the stream; throws EAGAIN if nothing comes.
  func receive() throws -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = try systemCall("recv") { recv(descriptor, &buffer, buffer.count, 0) }
    return Array(buffer[..<count])
  }

  /// The next frame; fails at the end of the stream.
  func frame() throws -> TCPFrame {
    while true {
      if let frame = try decoder.next() { return frame }
      let bytes = try receive()
      // No requirement: tests that expect a client to be turned away ask for this.
      guard !bytes.isEmpty else { throw ClosedConnection() }
      decoder.append(bytes)
    }
  }

  /// What comes until the other side closes, however it does that.
  func rest() -> [UInt8] {
    var all: [UInt8] = []
    while let bytes = try? receive(), !bytes.isEmpty { all += bytes }
    return all
  }
}
