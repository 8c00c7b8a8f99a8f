internal import Glibc

/// A client's connection: bytes in, frames out of them, answers back. Owns its descriptor as long
/// as the server's list has it.
struct Connection {
  /// The peer is gone, or does not speak Modbus TCP.
  struct Closed: Error {}

  /// What one read takes; some hundreds of requests.
  private static let readBytes = 4096
  /// Requests of one connection that wait for their time. Modbus clients have 1 to 16 on the way
  /// (Messaging on TCP/IP V1.0b, section 4.3.1.2).
  private static let waitingMax = 64
  /// Answers that the client does not take; beyond it the connection is not read any more.
  private static let outputBytesMax = 64 * 1024

  let descriptor: Int32
  /// Index into the scenario's stations.
  let station: Int
  /// How many answers are in the server's queue for it.
  var waiting = 0

  private var decoder = TCPFrameDecoder()
  private var output: [UInt8] = []
  /// Records of answers that are not with the kernel yet, each with where it ends in `output`.
  private var unsent: [(end: Int, record: TruthRecord)] = []
  private var closesWhenSent = false

  init(descriptor: Int32, station: Int) {
    self.descriptor = descriptor
    self.station = station
  }

  /// Whether another request may be taken.
  var takesRequests: Bool {
    waiting < Self.waitingMax && output.count < Self.outputBytesMax && !closesWhenSent
  }

  /// Whether to wait for bytes of the client.
  var wantsInput: Bool { takesRequests && decoder.count < Self.readBytes }
  var wantsOutput: Bool { !output.isEmpty }

  /// Takes what has arrived.
  mutating func receive() throws(Closed) {
    let received = withUnsafeTemporaryAllocation(byteCount: Self.readBytes, alignment: 1) { bytes in
      let count = recv(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT))
      let code = errno
      if count > 0 { decoder.append(UnsafeRawBufferPointer(rebasing: bytes[..<count])) }
      return count > 0 || (count < 0 && (code == EAGAIN || code == EINTR))
    }
    if !received { throw Closed() }
  }

  /// The next request, or `nil` until more has come or been answered.
  mutating func nextRequest() throws(Closed) -> TCPFrame? {
    guard takesRequests else { return nil }
    do throws(TCPFrameDecoder.Desynchronised) {
      return try decoder.next()
    } catch {
      throw Closed()
    }
  }

  /// Puts a response behind those that still wait to be sent.
  mutating func enqueue(_ response: Mine.Response) {
    // Nothing follows a cut.
    guard !closesWhenSent else { return }
    output.append(contentsOf: response.bytes)
    unsent.append((output.count, response.record))
    closesWhenSent = response.closesConnection
  }

  /// Hands what it can to the kernel; returns the records of the answers that are now with it. The
  /// connection is done with if `isFinished` afterwards.
  mutating func send() throws(Closed) -> [TruthRecord] {
    guard !output.isEmpty else { return [] }
    let sent = output.withUnsafeBytes { bytes in
      Glibc.send(
        descriptor, bytes.baseAddress, bytes.count,
        Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
    }
    let code = errno
    guard sent >= 0 else {
      if code == EAGAIN || code == EINTR { return [] }
      throw Closed()
    }
    output.removeFirst(sent)
    let done = unsent.prefix { $0.end <= sent }.map(\.record)
    unsent.removeFirst(done.count)
    for index in unsent.indices { unsent[index].end -= sent }
    return done
  }

  /// Whether the last answer was a cut and is sent.
  var isFinished: Bool { closesWhenSent && output.isEmpty }
}
