internal import Glibc
internal import LinuxSystem
internal import Telemetry

/// Why no agent answered.
enum ControlFailure: Error, Equatable, CustomStringConvertible {
  /// There is no socket.
  case notThere(path: String)
  /// The socket is there and this user may not use it.
  case permissionDenied(path: String)
  /// What is there is no socket.
  case noSocket(path: String)
  /// The socket is there and nobody listens on it: the agent was killed.
  case abandoned(path: String)
  /// Somebody listens and does not answer in time.
  case noAnswer(path: String, seconds: Double)
  /// What answers is no agent, or one of another protocol.
  case notUnderstood(path: String, reason: String)
  /// The system refused a call.
  case system(SystemError)

  var description: String {
    switch self {
    case .notThere(let path): "not running: there is no socket \(path)"
    case .permissionDenied(let path):
      "can't ask: permission denied for \(path); ask as root or as a member of its group"
    case .noSocket(let path): "can't ask: \(path) is no socket"
    case .abandoned(let path):
      "not running: nobody listens at \(path), the agent did not end in order"
    case .noAnswer(let path, let seconds):
      "can't ask: who listens at \(path) did not answer within \(seconds) s"
    case .notUnderstood(let path, let reason): "can't ask: at \(path): \(reason)"
    case .system(let error): "can't ask: \(error)"
    }
  }
}

/// Asks a running agent.
struct ControlClient {
  /// An agent on a busy board answers within tens of milliseconds.
  static let patienceSeconds = 5.0
  /// Before asking again when an agent had too many others to answer.
  private static let pauseMilliseconds: Int32 = 50

  let path: String

  /// The answer line to a request line, without its end.
  func ask(_ request: [UInt8]) throws(ControlFailure) -> [UInt8] {
    guard let address = UnixSocketAddress(path: path) else {
      throw .notUnderstood(
        path: path,
        reason: "a socket's path has 1 to \(UnixSocketAddress.mostBytes) bytes")
    }
    let deadline = ContinuousClock.now + .seconds(Self.patienceSeconds)
    while true {
      if let answer = try attempt(request, address, until: deadline) { return answer }
      guard ContinuousClock.now < deadline else {
        throw .noAnswer(path: path, seconds: Self.patienceSeconds)
      }
      poll(nil, 0, Self.pauseMilliseconds)
    }
  }

  /// `nil` if the other side had no time for it, or closed without an answer.
  private func attempt(
    _ request: [UInt8], _ address: UnixSocketAddress, until deadline: ContinuousClock.Instant
  ) throws(ControlFailure) -> [UInt8]? {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else {
      throw .system(SystemError(call: "socket", subject: path, code: errno))
    }
    defer { close(descriptor) }
    // For connect, too: it waits while the listener's queue is full.
    limit(descriptor, SO_SNDTIMEO, until: deadline)
    do throws(SystemError) {
      try systemCall("connect", on: path) { address.withPointer { connect(descriptor, $0, $1) } }
    } catch {
      throw failure(of: error)
    }
    // A refusal may come before the request was taken; it is read all the same.
    _ = send(descriptor, request, request.count, Int32(MSG_NOSIGNAL))
    let answer = try line(from: descriptor, until: deadline)
    return answer.isEmpty || Self.isBusy(answer) ? nil : answer
  }

  private static func isBusy(_ answer: [UInt8]) -> Bool {
    guard answer.count < 1024, let value = try? JSONParser.parse(answer),
      let fields = try? JSONFields(value)
    else { return false }
    return fields.members["error"] == .string(ControlRefusal.Word.busy.rawValue)
  }

  private func line(
    from descriptor: Int32, until deadline: ContinuousClock.Instant
  ) throws(ControlFailure) -> [UInt8] {
    var answer: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      limit(descriptor, SO_RCVTIMEO, until: deadline)
      let count = recv(descriptor, &chunk, chunk.count, 0)
      if count == -1, errno == EINTR { continue }
      if count == -1, errno == EAGAIN {
        throw .noAnswer(path: path, seconds: Self.patienceSeconds)
      }
      // Closed, or reset because it did not read all of the request.
      guard count > 0 else { return [] }
      let end = chunk[..<count].firstIndex(of: UInt8(ascii: "\n"))
      answer += chunk[..<(end ?? count)]
      if end != nil { return answer }
      guard answer.count <= ControlProtocol.largestAnswer else {
        throw .notUnderstood(
          path: path, reason: "an answer of more than \(ControlProtocol.largestAnswer) bytes")
      }
    }
  }

  /// Has a call give up at the deadline; after it, at once.
  private func limit(
    _ descriptor: Int32, _ option: Int32, until deadline: ContinuousClock.Instant
  ) {
    // Zero would be no limit at all.
    let microseconds = max(1000, Int((deadline - .now) / .microseconds(1)))
    var time = timeval(
      tv_sec: microseconds / 1_000_000, tv_usec: suseconds_t(microseconds % 1_000_000))
    setsockopt(
      descriptor, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
  }

  private var isSocket: Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
  }

  private func failure(of error: SystemError) -> ControlFailure {
    switch error.code {
    case ENOENT, ENOTDIR: .notThere(path: path)
    case EACCES, EPERM: .permissionDenied(path: path)
    case ECONNREFUSED: isSocket ? .abandoned(path: path) : .noSocket(path: path)
    case EAGAIN: .noAnswer(path: path, seconds: Self.patienceSeconds)
    default: .system(error)
    }
  }
}
