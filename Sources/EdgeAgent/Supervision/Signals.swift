internal import Glibc

/// The signals that the agent acts on, taken one by one on the main thread.
enum Signals {
  private static let handled = [SIGTERM, SIGINT, SIGHUP]

  /// Masks them for this thread and all that it starts. Before any other thread exists.
  static func mask() {
    // A peer that closes a connection must be an error of that connection, not our end.
    signal(SIGPIPE, SIG_IGN)
    mask(handled)
  }

  /// Whether somebody wants the agent to stop, though `next` has not told it yet: what takes long
  /// on the main thread looks here.
  static var isStopPending: Bool {
    var set = sigset_t()
    guard sigpending(&set) == 0 else { return false }
    return sigismember(&set, SIGTERM) == 1 || sigismember(&set, SIGINT) == 1
  }

  /// Performs the start, in which an order to stop ends the process at once with 0: nothing has
  /// been read yet, and opening a store may hang in the disk for ever.
  static func whileStarting<Result, Failure: Error>(
    _ start: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    // Nothing but an async-signal-safe call may stand in a handler.
    for number in [SIGTERM, SIGINT] { signal(number) { _ in _exit(EXIT_SUCCESS) } }
    unmask([SIGTERM, SIGINT])
    defer {
      mask([SIGTERM, SIGINT])
      for number in [SIGTERM, SIGINT] { signal(number, SIG_DFL) }
    }
    return try start()
  }

  /// Lets the next one that asks for the end end the process at once. There is nothing to reload
  /// any more: SIGHUP stays masked, or it would cost what is being flushed.
  static func unmask() { unmask([SIGTERM, SIGINT]) }

  /// Blocks until one arrives; `nil` if none does in time.
  static func next(withinMilliseconds milliseconds: Int64) -> Int32? {
    var set = set(of: handled)
    var time = timespec(
      tv_sec: Int(milliseconds / 1000), tv_nsec: Int(milliseconds % 1000) * 1_000_000)
    // Also interrupted by a signal that is not ours, such as a debugger's.
    let number = sigtimedwait(&set, nil, &time)
    return number > 0 ? number : nil
  }

  static func name(of number: Int32) -> String {
    switch number {
    case SIGTERM: "SIGTERM"
    case SIGINT: "SIGINT"
    case SIGHUP: "SIGHUP"
    default: "signal \(number)"
    }
  }

  private static func mask(_ numbers: [Int32]) {
    var set = set(of: numbers)
    pthread_sigmask(SIG_BLOCK, &set, nil)
  }

  private static func unmask(_ numbers: [Int32]) {
    var set = set(of: numbers)
    pthread_sigmask(SIG_UNBLOCK, &set, nil)
  }

  private static func set(of numbers: [Int32]) -> sigset_t {
    var set = sigset_t()
    sigemptyset(&set)
    for number in numbers { sigaddset(&set, number) }
    return set
  }
}
