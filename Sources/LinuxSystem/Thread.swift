internal import CLinux
internal import Glibc

/// A detached, named thread for work that blocks. Swift's cooperative pool has as many threads as
/// cores: one blocking call there delays every task of the agent.
public enum Thread {
  /// Executor and C library stacks here stay far below this; the default of 8 MiB would only be
  /// address space, but boards with 32 bits run out of that.
  private static let stackBytes = 512 * 1024

  private final class Start {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }

  /// Starts `body` on a thread of its own; fails when the process may have no more threads.
  public static func start(
    named name: String, _ body: @escaping @Sendable () -> Void
  ) throws(SystemError) {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setstacksize(&attributes, stackBytes)
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))

    let start = Unmanaged.passRetained(Start(name: name, body: body))
    var thread = pthread_t()
    let code = pthread_create(
      &thread, &attributes,
      { context in
        guard let context else { return nil }
        let start = Unmanaged<Start>.fromOpaque(context).takeRetainedValue()
        _ = CLinux_set_thread_name(String(start.name.prefix(15)))
        start.body()
        return nil
      }, start.toOpaque())
    guard code == 0 else {
      start.release()
      throw SystemError(call: "pthread_create", subject: name, code: code)
    }
  }
}
