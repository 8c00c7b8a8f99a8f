import Glibc
import LinuxSystem

@testable import Drivers

/// A serial port's calls, written down: what a real port would be told. The bytes go to the
/// pseudo-terminal that stands for it.
final class RecordedTerminal: Sendable {
  enum Call: Hashable {
    case settings(control: tcflag_t, input: tcflag_t, speed: speed_t)
    /// `ioctl` with the 32-bit words that its argument points to.
    case control(request: Int32, words: [UInt32])
    case pause(milliseconds: Int64)
    case write([UInt8])
    case drain
  }

  private struct State {
    var settings = termios()
    var direction: [UInt32]
    var calls: [Call] = []
  }

  private let state: Monitor<State>
  private let dropped: tcflag_t
  private let failsToWrite: Bool

  /// A port whose driver leaves out what `dropped` names of the control flags, and has `direction`
  /// set as its RS-485 control; without one it knows none.
  init(dropping dropped: Int32 = 0, direction: [UInt32] = [], failsToWrite: Bool = false) {
    self.dropped = tcflag_t(bitPattern: dropped)
    self.failsToWrite = failsToWrite
    state = Monitor(State(direction: direction))
  }

  /// Every call so far but those that only look.
  var recorded: [Call] { state.withLock { $0.calls } }

  var calls: TerminalCalls {
    TerminalCalls(
      attributes: { [self] _, settings in
        state.withLock { settings.pointee = $0.settings }
        return 0
      },
      setAttributes: { [self] _, _, settings in
        var wanted = settings.pointee
        state.withLock { state in
          let speed = cfgetospeed(&wanted)
          state.calls.append(
            .settings(control: wanted.c_cflag, input: wanted.c_iflag, speed: speed))
          wanted.c_cflag &= ~dropped
          state.settings = wanted
        }
        return 0
      },
      control: { [self] in control(Int32($1), $2) },
      write: { [self] descriptor, bytes, count in
        let start = bytes.assumingMemoryBound(to: UInt8.self)
        record(.write(Array(UnsafeBufferPointer(start: start, count: count))))
        guard !failsToWrite else {
          errno = EIO
          return -1
        }
        return Glibc.write(descriptor, bytes, count)
      },
      drain: { [self] _ in
        record(.drain)
        return 0
      },
      pause: { [self] in record(.pause(milliseconds: $0)) },
      isPseudoTerminal: { _ in false })
  }

  private func record(_ call: Call) { state.withLock { $0.calls.append(call) } }

  private func control(_ request: Int32, _ argument: UnsafeMutableRawPointer) -> Int32 {
    let isDirection = [Int32(TIOCGRS485), Int32(TIOCSRS485)].contains(request)
    let words = argument.assumingMemoryBound(to: UInt32.self)
    return state.withLock { state in
      guard !isDirection || !state.direction.isEmpty else {
        errno = ENOTTY
        return -1
      }
      if request == Int32(TIOCGRS485) {
        for (index, word) in state.direction.enumerated() { words[index] = word }
        return 0
      }
      let count = isDirection ? 8 : 1
      let given = Array(UnsafeBufferPointer(start: words, count: count))
      if isDirection { state.direction = given }
      state.calls.append(.control(request: request, words: given))
      return 0
    }
  }
}
