internal import LinuxSystem

/// Answers at the control socket, on a thread of its own. Whatever hinders it is told to
/// `observer` and tried again; it never stops anything else.
final class ControlServer: Sendable {
  private let path: String
  private let responder: any ControlResponder
  private let observer: @Sendable (String?) -> Void
  private let stop: EventFD
  private let hasEnded = Monitor(false)

  /// Makes one that has not begun; fails when the process is out of descriptors. `observer` is
  /// called on the server's thread with what is wrong, `nil` once it listens.
  init(
    path: String, responder: any ControlResponder, observer: @escaping @Sendable (String?) -> Void
  ) throws(SystemError) {
    self.path = path
    self.responder = responder
    self.observer = observer
    stop = try EventFD()
  }

  /// Starts the thread, which holds this object until `cancel`; fails when the process may have no
  /// more threads.
  func start() throws(SystemError) {
    try Thread.start(named: "control") { [self] in
      var loop = ControlLoop(path: path, stop: stop, responder: responder, observer: observer)
      loop.run()
      hasEnded.update { $0 = true }
    }
  }

  /// Asks the thread to remove the socket and end; returns at once.
  func cancel() { stop.signal() }

  /// Blocks until it has ended, at most `seconds`; returns whether it has.
  func waitForEnd(atMost seconds: Double) -> Bool {
    hasEnded.wait(atMost: seconds) { $0 ? true : nil } ?? false
  }
}
