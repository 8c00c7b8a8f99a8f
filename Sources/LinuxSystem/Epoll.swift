internal import CLinux
internal import Glibc

/// A set of descriptors to wait on. A descriptor that is closed leaves it by itself.
public final class Epoll: Sendable {
  /// A descriptor that is readable, hung up or broken.
  public struct Ready: Sendable, Hashable {
    /// What it was added as.
    public var key: UInt64
    /// Whether it can be read; hung up or broken if not.
    public var isReadable: Bool
  }

  private let descriptor: Int32

  /// Makes an empty set; fails only when the process is out of descriptors or memory.
  public init() throws(SystemError) {
    descriptor = try systemCall("epoll_create1") { CLinux_epoll_create() }
  }

  deinit { close(descriptor) }

  /// Adds a descriptor, told as `key` for as long as it is readable.
  public func add(_ descriptor: Int32, as key: UInt64) throws(SystemError) {
    try systemCall("epoll_ctl") { CLinux_epoll_add(self.descriptor, descriptor, key) }
  }

  /// Takes a descriptor out that is still open.
  public func remove(_ descriptor: Int32) {
    // Fails only for one that is not in the set.
    _ = CLinux_epoll_remove(self.descriptor, descriptor)
  }

  /// Blocks this thread until a descriptor is ready, at most `milliseconds` (`nil`: for ever).
  /// Returns those that are, a bounded number: the next call tells the others. None after the time,
  /// or when a signal came.
  public func wait(forMilliseconds milliseconds: Int64?) -> [Ready] {
    withUnsafeTemporaryAllocation(
      of: CLinux_epoll_ready.self, capacity: Int(CLINUX_EPOLL_MAX)
    ) { ready in
      let time = milliseconds.map { Int32(clamping: max(0, $0)) } ?? -1
      let count = CLinux_epoll_wait(descriptor, ready.baseAddress, time)
      return (0..<Int(max(0, count))).map {
        Ready(key: ready[$0].key, isReadable: ready[$0].is_readable != 0)
      }
    }
  }
}
