internal import Glibc
internal import LinuxSystem

/// Why nobody can be listened to.
enum ControlFault: Error, Equatable, CustomStringConvertible {
  /// Somebody else listens there.
  case taken(path: String)
  /// What stands there was not made by an agent.
  case notASocket(path: String)
  /// The path fits no socket's address.
  case unusablePath(String)
  /// The system refused a call.
  case system(SystemError)

  var description: String {
    switch self {
    case .taken(let path): "another process answers at \(path)"
    case .notASocket(let path): "\(path) is there and is not a socket"
    case .unusablePath(let path): "\(path) is no path of a socket"
    case .system(let error): error.description
    }
  }
}

/// The listening socket. Whoever makes it takes the place of one that nobody listens on any more,
/// never of one that answers.
final class ControlListener {
  /// The agent's user and group; never the world.
  private static let mode: mode_t = 0o660
  private static let directoryMode: mode_t = 0o750
  /// Clients that wait to be accepted; the loop accepts at once.
  private static let backlog: Int32 = 16

  let descriptor: Int32
  private let address: UnixSocketAddress
  /// Of the socket's file, so that nobody else's is removed at the end.
  private let identity: FileIdentity

  private struct FileIdentity: Equatable {
    var device: dev_t
    var number: ino_t

    init(_ status: stat) {
      device = status.st_dev
      number = status.st_ino
    }
  }

  /// Listens at `path`, whose directory is made if the one above it is there.
  init(path: String) throws(ControlFault) {
    guard let address = UnixSocketAddress(path: path) else { throw .unusablePath(path) }
    self.address = address
    let directory = try Self.lockedDirectory(of: path)
    // Dropped with the lock once the socket listens: two agents never probe at the same time, and
    // so never take each other's new socket for an old one.
    defer { close(directory) }
    try Self.clear(address)
    (descriptor, identity) = try Self.refusing { () throws(SystemError) in
      try Self.listen(at: address)
    }
  }

  deinit {
    // While it still answers: nobody takes its place between the look and the removal.
    if isInPlace { unlink(address.path) }
    close(descriptor)
  }

  /// Whether clients still find it: somebody may have cleared the directory.
  var isInPlace: Bool { (try? Self.status(of: address.path))?.map(FileIdentity.init) == identity }

  /// The next client, or `nil` if none waits.
  func accept() throws(SystemError) -> Int32? {
    do throws(SystemError) {
      let client = try systemCall("accept", on: address.path) {
        Glibc.accept(descriptor, nil, nil)
      }
      _ = fcntl(client, F_SETFD, FD_CLOEXEC)
      _ = fcntl(client, F_SETFL, O_NONBLOCK)
      return client
    } catch {
      if error.code == EAGAIN || error.code == ECONNABORTED { return nil }
      throw error
    }
  }

  // MARK: Making

  private static func lockedDirectory(of path: String) throws(ControlFault) -> Int32 {
    let end = path.lastIndex(of: "/") ?? path.startIndex
    let directory = end == path.startIndex ? "/" : String(path[..<end])
    if mkdir(directory, directoryMode) == -1, errno != EEXIST {
      throw .system(SystemError(call: "mkdir", subject: directory, code: errno))
    }
    return try refusing { () throws(SystemError) in
      let descriptor = try systemCall("open", on: directory) {
        open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      }
      do throws(SystemError) {
        try tryLock(descriptor, path: directory)
      } catch {
        close(descriptor)
        throw error
      }
      return descriptor
    }
  }

  /// Removes a socket that nobody listens on.
  private static func clear(_ address: UnixSocketAddress) throws(ControlFault) {
    guard let found = try refusing({ () throws(SystemError) in try status(of: address.path) })
    else {
      return
    }
    guard found.st_mode & S_IFMT == S_IFSOCK else { throw .notASocket(path: address.path) }
    let isAbandoned = try refusing { () throws(SystemError) in try self.isAbandoned(address) }
    guard isAbandoned else { throw .taken(path: address.path) }
    try refusing { () throws(SystemError) in
      _ = try systemCall("unlink", on: address.path) { unlink(address.path) }
    }
  }

  private static func isAbandoned(_ address: UnixSocketAddress) throws(SystemError) -> Bool {
    let probe = try unixSocket(address.path)
    defer { close(probe) }
    let result = address.withPointer { connect(probe, $0, $1) }
    // Everything else, a full queue above all, comes from somebody who listens.
    return result == -1 && errno == ECONNREFUSED
  }

  private static func listen(
    at address: UnixSocketAddress
  ) throws(SystemError) -> (Int32, FileIdentity) {
    let descriptor = try unixSocket(address.path)
    do throws(SystemError) {
      // Before there is a file: whatever the process's umask, the world never has access.
      try systemCall("fchmod", on: address.path) { fchmod(descriptor, mode) }
      try systemCall("bind", on: address.path) { address.withPointer { bind(descriptor, $0, $1) } }
      // The umask took the group's rights.
      try systemCall("chmod", on: address.path) { chmod(address.path, mode) }
      try systemCall("listen", on: address.path) { Glibc.listen(descriptor, backlog) }
      guard let made = try status(of: address.path) else {
        throw SystemError(call: "stat", subject: address.path, code: ENOENT)
      }
      return (descriptor, FileIdentity(made))
    } catch {
      close(descriptor)
      throw error
    }
  }

  private static func unixSocket(_ path: String) throws(SystemError) -> Int32 {
    let type = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
    return try systemCall("socket", on: path) { socket(AF_UNIX, Int32(type), 0) }
  }

  /// `nil` if there is nothing.
  private static func status(of path: String) throws(SystemError) -> stat? {
    var result = stat()
    do throws(SystemError) {
      try systemCall("stat", on: path) { lstat(path, &result) }
    } catch {
      if error.code == ENOENT { return nil }
      throw error
    }
    return result
  }

  private static func refusing<Result>(
    _ body: () throws(SystemError) -> Result
  ) throws(ControlFault) -> Result {
    do throws(SystemError) {
      return try body()
    } catch {
      throw .system(error)
    }
  }
}
