import Glibc
import TestSupport
import Testing

@testable import MineSimulator

// A connection that stalls fails by the limit.
@Suite(.timeLimit(.minutes(2)), .ownThread)
struct ConnectionTests {
  /// Both ends of a stream that takes little at a time.
  private static func narrowPair() throws -> (near: Int32, far: Int32) {
    var pair: [Int32] = [0, 0]
    try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
    var bytes: Int32 = 8192
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
    return (pair[0], pair[1])
  }

  @Test("A record comes once the last byte of its answer is with the kernel, and not before")
  func recordsFollowBytes() throws {
    let (near, far) = try Self.narrowPair()
    defer { for descriptor in [near, far] { close(descriptor) } }
    var connection = Connection(descriptor: near, station: 0)
    var generator = SeededGenerator(seed: 61)
    // Where each answer ends in the stream; its record names it by the device.
    var ends: [Int] = []
    var expected: [UInt8] = []
    var received: [UInt8] = []
    var recorded = 0
    var heldBack = 0
    var buffer = [UInt8](repeating: 0, count: 3000)
    while ends.count < 20_000 || received.count < expected.count {
      if ends.count < 20_000, connection.takesRequests, Int.random(in: 0..<4, using: &generator) > 0
      {
        // Short, so that many are torn at each of their bytes.
        let size = Int.random(in: 2...12, using: &generator)
        let bytes = (0..<size).map { _ in UInt8.random(in: 0...255, using: &generator) }
        expected += bytes
        let record = TruthRecord(device: ends.count, outcome: .fault("none"))
        ends.append(expected.count)
        connection.enqueue(Mine.Response(bytes: bytes, record: record))
      }
      for record in try connection.send() {
        #expect(record.device == recorded)
        recorded += 1
      }
      if connection.wantsOutput { heldBack += 1 }
      var waiting: Int32 = 0
      try #require(ioctl(far, UInt(FIONREAD), &waiting) == 0)
      let taken = received.count + Int(waiting)
      #expect(recorded == 0 || ends[recorded - 1] <= taken)
      #expect(recorded == ends.count || ends[recorded] > taken)
      // Slower than it is written, so that the kernel takes parts of answers.
      if Int.random(in: 0..<400, using: &generator) == 0 || ends.count == 20_000 {
        let size = Int.random(in: 1...buffer.count, using: &generator)
        let count = recv(far, &buffer, size, Int32(MSG_DONTWAIT))
        if count > 0 { received += buffer[..<count] }
      }
    }
    #expect(received == expected)
    #expect(recorded == 20_000)
    #expect(heldBack > 1000, "\(heldBack)")
  }

  @Test("A client that takes no answers is not read any more, and loses none")
  func slowReader() throws {
    let (near, far) = try Self.narrowPair()
    defer { for descriptor in [near, far] { close(descriptor) } }
    var connection = Connection(descriptor: near, station: 0)
    let record = TruthRecord(device: 0, outcome: .fault("none"))
    var answers = 0
    while connection.takesRequests {
      connection.enqueue(Mine.Response(bytes: [UInt8](repeating: 1, count: 200), record: record))
      answers += 1
      _ = try connection.send()
      try #require(answers < 10_000)
    }
    #expect(!connection.wantsInput && connection.wantsOutput)
    var received = 0
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while received < answers * 200 {
      received += max(0, recv(far, &buffer, buffer.count, Int32(MSG_DONTWAIT)))
      _ = try connection.send()
    }
    #expect(connection.wantsInput && !connection.wantsOutput)
  }

  @Test("Nothing follows a cut")
  func cutIsLast() throws {
    let (near, far) = try Self.narrowPair()
    defer { for descriptor in [near, far] { close(descriptor) } }
    var connection = Connection(descriptor: near, station: 0)
    let record = TruthRecord(device: 0, outcome: .fault("cut"))
    connection.enqueue(Mine.Response(bytes: [1, 2], closesConnection: true, record: record))
    connection.enqueue(Mine.Response(bytes: [3], record: record))
    #expect(!connection.isFinished && !connection.takesRequests)
    #expect(try connection.send() == [record])
    #expect(connection.isFinished)
  }

  @Test("A client that is gone is noticed when reading and when writing")
  func gone() throws {
    let (near, far) = try Self.narrowPair()
    defer { close(near) }
    var connection = Connection(descriptor: near, station: 0)
    try connection.receive()
    close(far)
    #expect(throws: Connection.Closed.self) { try connection.receive() }
    let record = TruthRecord(device: 0, outcome: .fault("none"))
    connection.enqueue(Mine.Response(bytes: [1], record: record))
    #expect(throws: Connection.Closed.self) { try connection.send() }
  }
}
