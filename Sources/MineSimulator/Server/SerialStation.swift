internal import Glibc
internal import LinuxSystem

/// A station on a serial line: a pseudo-terminal that the agent opens by a link, as it would open a
/// port's stable path. Answers go out at the line's speed.
final class SerialStation {
  /// How long the port is away after a cut: an adapter that is pulled and plugged in again.
  static let cutMilliseconds: Int64 = 1000
  /// How often a line that nobody has open is looked at, in milliseconds.
  private static let closedInterval: Int64 = 20
  /// Answers go out in pieces of this time: what an adapter collects before it hands it over.
  private static let pieceMilliseconds: Int64 = 10

  /// Index into the scenario's stations.
  let station: Int
  let link: String
  private let settings: LineSettings
  private var terminal: PseudoTerminal?
  private var decoder: RTUFrameDecoder
  /// Whether somebody had the terminal open and has it no more.
  private var isClosed = false
  private var lookAgain: Int64?
  private var returnsAt: Int64 = 0

  private var output: [(response: Mine.Response, sent: Int)] = []
  /// When the first answer's bytes began to go.
  private var outputStart: Int64?

  init(station: Int, settings: LineSettings, link: String) {
    self.station = station
    self.settings = settings
    self.link = link
    decoder = RTUFrameDecoder(settings)
  }

  deinit { unplug() }

  /// What to poll for requests; `nil` while there is nobody who could send one.
  var descriptor: Int32? { isClosed ? nil : controller }

  private var controller: Int32? { terminal?.descriptor }

  /// When something is to be done again, in milliseconds since the start.
  func nextDue(at now: Int64) -> Int64? {
    let piece = output.isEmpty ? nil : now + Self.pieceMilliseconds
    let back = returnsAt > now ? returnsAt : nil
    return [decoder.frameEnd, piece, lookAgain, back].compactMap(\.self).min()
  }

  /// Plugs the port in, or pulls it where a fault says so.
  func update(isRefused: Bool, at now: Int64) throws(SystemError) {
    let isAway = isRefused || now < returnsAt
    if isAway {
      unplug()
    } else if controller == nil {
      try plugIn()
    }
    if isClosed { try lookWhetherOpen(at: now) }
  }

  private func plugIn() throws(SystemError) {
    let terminal = try PseudoTerminal()
    // Another file of this name is somebody's; a link of an earlier run points nowhere.
    var status = stat()
    if lstat(link, &status) == 0 {
      guard status.st_mode & S_IFMT == S_IFLNK else {
        throw SystemError(call: "symlink", subject: link, code: EEXIST)
      }
      unlink(link)
    }
    try systemCall("symlink", on: link) { symlink(terminal.path, link) }
    self.terminal = terminal
  }

  private func unplug() {
    guard controller != nil else { return }
    unlink(link)
    terminal = nil
    forget()
    isClosed = false
    lookAgain = nil
  }

  /// Nobody is there any more who asked or could take an answer.
  private func forget() {
    decoder = RTUFrameDecoder(settings)
    output = []
    outputStart = nil
  }

  private func lookWhetherOpen(at now: Int64) throws(SystemError) {
    guard let controller, now >= lookAgain ?? 0 else { return }
    var entry = pollfd(fd: controller, events: Int16(POLLIN), revents: 0)
    _ = poll(&entry, 1, 0)
    isClosed = entry.revents & Int16(POLLHUP) != 0
    lookAgain = isClosed ? now + Self.closedInterval : nil
  }

  /// Takes what has arrived.
  func receive(at now: Int64) {
    guard let controller else { return }
    var chunk = [UInt8](repeating: 0, count: 512)
    let count = read(controller, &chunk, chunk.count)
    let code = errno
    if count > 0 {
      decoder.append(chunk[..<count], at: now)
    } else if count < 0, code == EIO {
      forget()
      terminal?.resetSettings()
      isClosed = true
      lookAgain = now + Self.closedInterval
    }
  }

  /// The next request that a silence has ended; what was none is passed over, as slaves do.
  func nextRequest(at now: Int64) -> RTUFrame? { decoder.next(at: now) }

  /// Puts an answer behind those that still go over the line.
  func enqueue(_ response: Mine.Response) {
    guard descriptor != nil else { return }
    output.append((response, 0))
  }

  /// Hands over what has gone over the line by now; returns the records of whole answers.
  func send(at now: Int64) -> [TruthRecord] {
    var done: [TruthRecord] = []
    while let (response, sent) = output.first, let controller {
      let start = outputStart ?? now
      outputStart = start
      let gone = min(settings.bytes(inMilliseconds: now - start), response.bytes.count)
      if gone > sent {
        let piece = Array(response.bytes[sent..<gone])
        let count = write(controller, piece, piece.count)
        output[0].sent += max(0, count)
      }
      guard output[0].sent == response.bytes.count else { break }
      output.removeFirst()
      outputStart = nil
      done.append(response.record)
      if response.closesConnection {
        returnsAt = now + Self.cutMilliseconds
        unplug()
      }
    }
    return done
  }
}
