internal import Glibc

/// Tells systemd how the service is doing (sd_notify(3), without libsystemd): datagrams to the
/// socket that NOTIFY_SOCKET names. Without that variable everything here does nothing.
final class ServiceManager {
  /// A service manager that takes nothing for a second has other troubles, and the agent must not
  /// share them.
  private static let sendSeconds = 1

  /// How long the service manager waits for a sign of life before it restarts the agent; `nil` if
  /// it does not watch.
  let watchdogMilliseconds: Int64?
  private let address: NotifyAddress?
  private let descriptor: Int32

  /// Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID.
  convenience init() {
    self.init { name in getenv(name).map { String(cString: $0) } }
  }

  /// With the variables that `variable` gives.
  init(_ variable: (String) -> String?) {
    address = variable("NOTIFY_SOCKET").flatMap(NotifyAddress.init)
    descriptor =
      address == nil
      ? -1 : socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var limit = timeval(tv_sec: Self.sendSeconds, tv_usec: 0)
    setsockopt(
      descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    // The variables may be meant for a parent that did not clear them.
    let isForUs = variable("WATCHDOG_PID").map { $0 == "\(getpid())" } ?? true
    let time = variable("WATCHDOG_USEC").flatMap { Int64($0) }.map { $0 / 1000 }
    watchdogMilliseconds = isForUs ? time.flatMap { $0 > 0 ? $0 : nil } : nil
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Everything runs, after a start or a reload.
  func ready(status: String) { send("READY=1\n" + Self.assignment(status), mayWait: true) }

  /// The configuration is being read again; `ready` has to follow.
  func reloading() {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    let microseconds = Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    send("RELOADING=1\nMONOTONIC_USEC=\(microseconds)", mayWait: true)
  }

  /// The agent stops in order, and has no time to wait.
  func stopping() { send("STOPPING=1", mayWait: false) }

  /// One line for `systemctl status`. Returns whether it is on its way; the manager's queue may be
  /// full.
  func status(_ text: String) -> Bool { send(Self.assignment(text), mayWait: false) }

  /// The agent is alive.
  func feedWatchdog() { send("WATCHDOG=1", mayWait: false) }

  private static func assignment(_ status: String) -> String {
    "STATUS=" + status.split(whereSeparator: \.isNewline).joined(separator: " ")
  }

  /// Whether it is on its way, or nobody wants it.
  @discardableResult
  private func send(_ text: String, mayWait: Bool) -> Bool {
    guard let address, descriptor >= 0 else { return true }
    let bytes = Array(text.utf8)
    let flags = Int32(MSG_NOSIGNAL) | (mayWait ? 0 : Int32(MSG_DONTWAIT))
    return address.withPointer { pointer, length in
      while sendto(descriptor, bytes, bytes.count, flags, pointer, length) < 0 {
        guard errno == EINTR else { return false }
      }
      return true
    }
  }
}

/// Where the service manager listens: a path from the root, or `@` and a name in Linux's abstract
/// space.
private struct NotifyAddress {
  private let storage: sockaddr_un
  private let length: socklen_t

  /// `nil` for a name that is neither, or is too long.
  init?(_ name: String) {
    var address = sockaddr_un()
    let bytes = Array(name.utf8)
    let room = MemoryLayout.size(ofValue: address.sun_path) - 1
    guard let first = bytes.first, bytes.count <= room else { return nil }
    let isAbstract = first == UInt8(ascii: "@")
    guard isAbstract || first == UInt8(ascii: "/") else { return nil }
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { path in
      path.copyBytes(from: bytes)
      if isAbstract { path[0] = 0 }
    }
    let offset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2
    storage = address
    // An abstract name has no end mark: its length counts.
    length = socklen_t(offset + bytes.count + (isAbstract ? 0 : 1))
  }

  func withPointer(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Bool) -> Bool {
    withUnsafePointer(to: storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
    }
  }
}
