import Glibc
import LinuxSystem
import Synchronization

/// SIGTERM and SIGINT as something that a polling thread can wait for. Never unset once set.
final class StopSignal: Sendable {
  /// Readable from the moment it is set until someone clears it.
  let waker: EventFD
  private let flag = Atomic(false)

  init() throws(SystemError) { waker = try EventFD() }

  /// Whether a stop was asked for.
  var isSet: Bool { flag.load(ordering: .acquiring) }

  /// Asks for a stop. Safe from any thread.
  func set() {
    flag.store(true, ordering: .releasing)
    waker.signal()
  }

  /// Takes SIGTERM and SIGINT over. To be called while the process has one thread: the threads
  /// that follow inherit the mask, so that the signals reach nobody but the one that waits.
  func takeSignals() throws(SystemError) {
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGTERM)
    sigaddset(&signals, SIGINT)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    let waited = signals
    try Thread.start(named: "signals") { [self] in
      var waited = waited
      var signal: Int32 = 0
      while sigwait(&waited, &signal) != 0 {}
      set()
    }
  }

  /// Sleeps until the stop, at most `milliseconds`.
  func wait(atMost milliseconds: Int) {
    var descriptor = pollfd(fd: waker.descriptor, events: Int16(POLLIN), revents: 0)
    if !isSet { poll(&descriptor, 1, Int32(clamping: milliseconds)) }
  }
}
