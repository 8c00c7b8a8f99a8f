internal import Glibc

/// The signals that the agent acts on, taken one by one on the main thread.
enum Signals {
  private static let handled = [SIGTERM, SIGINT, SIGHUP]

  /// Masks them for this thread and all that it starts. Before any other thread exists.
  static func mask() {
    // A peer that closes a connection must be an error of that connection, not our end.
    signal(SIGPIPE, SIG_IGN)
    var set = handledSet()
    pthread_sigmask(SIG_BLOCK, &set, nil)
  }

  /// Lets the next one end the process at once.
  static func unmask() {
    var set = handledSet()
    pthread_sigmask(SIG_UNBLOCK, &set, nil)
  }

  /// Blocks until one arrives; `nil` if none does in time.
  static func next(withinMilliseconds milliseconds: Int64) -> Int32? {
    var set = handledSet()
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

  private static func handledSet() -> sigset_t {
    var set = sigset_t()
    sigemptyset(&set)
    for number in handled { sigaddset(&set, number) }
    return set
  }
}
