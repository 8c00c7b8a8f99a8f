internal import CLinux
internal import Glibc

/// Wakes a thread that waits in `poll`: readable after `signal()` until `clear()`.
public final class EventFD: Sendable {
  /// The descriptor to poll for reading; owned by this object.
  public let descriptor: Int32

  /// Makes one; fails only when the process is out of descriptors or memory.
  public init() throws(SystemError) {
    descriptor = try systemCall("eventfd") { CLinux_eventfd() }
  }

  deinit { close(descriptor) }

  /// Makes the descriptor readable. Safe from any thread; never blocks.
  public func signal() {
    var one: UInt64 = 1
    // The only failure is a counter that is full, and then the waiter is awake anyway.
    _ = write(descriptor, &one, MemoryLayout<UInt64>.size)
  }

  /// Makes it unreadable until the next signal.
  public func clear() {
    var count: UInt64 = 0
    _ = read(descriptor, &count, MemoryLayout<UInt64>.size)
  }

  /// Blocks this thread until a signal, at most `milliseconds` (`nil`: for ever), and clears it.
  public func wait(forMilliseconds milliseconds: Int?) {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    if poll(&entry, 1, milliseconds.map { Int32(clamping: max(0, $0)) } ?? -1) > 0 { clear() }
  }
}
