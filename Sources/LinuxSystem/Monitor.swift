internal import CLinux
internal import Glibc

/// State behind a mutex with a condition to wait on. Used in place of `Synchronization.Mutex`,
/// which has no condition, and whose lock the thread sanitizer can't see on Linux: it reports every
/// access as a race.
public final class Monitor<State>: @unchecked Sendable {
  // Guarded by `mutex`, which every access below holds.
  private var state: State
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  /// Takes the state over.
  public init(_ state: sending State) {
    self.state = state
    mutex.initialize(to: pthread_mutex_t())
    condition.initialize(to: pthread_cond_t())
    pthread_mutex_init(mutex, nil)
    let code = CLinux_cond_init_monotonic(condition)
    // Fails only for an attribute that this kernel does not know, a programmer's error.
    precondition(code == 0, "pthread_cond_init: \(code)")
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  /// Reads or changes the state. Short and without I/O: others wait meanwhile.
  public func withLock<Result, Failure: Error>(
    _ body: (inout sending State) throws(Failure) -> sending Result
  ) throws(Failure) -> sending Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body(&state)
  }

  /// Changes the state and wakes whoever waits for it.
  public func update(_ body: (inout sending State) -> Void) {
    pthread_mutex_lock(mutex)
    body(&state)
    pthread_mutex_unlock(mutex)
    // Behind the unlock: who wakes up would only wait for the mutex and sleep once more. The caller
    // holds this object, so the condition is still there.
    wake()
  }

  /// Wakes whoever waits for the state, for changes that were made by `withLock`.
  public func wake() { pthread_cond_broadcast(condition) }

  /// Blocks this thread until `body` returns a result or `seconds` have passed (`nil`: for ever);
  /// returns `nil` after the time. `body` is asked at once and after every update.
  public func wait<Result>(
    atMost seconds: Double?, until body: (inout sending State) -> sending Result?
  ) -> sending Result? {
    var deadline = timespec()
    if let seconds {
      clock_gettime(CLOCK_MONOTONIC, &deadline)
      let nanoseconds = Int(seconds * 1e9) + deadline.tv_nsec
      deadline.tv_sec += nanoseconds / 1_000_000_000
      deadline.tv_nsec = nanoseconds % 1_000_000_000
    }
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while true {
      if let result = body(&state) { return result }
      if seconds == nil {
        pthread_cond_wait(condition, mutex)
      } else if pthread_cond_timedwait(condition, mutex, &deadline) == ETIMEDOUT {
        return body(&state)
      }
    }
  }
}
