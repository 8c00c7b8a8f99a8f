internal import Glibc

/// A mosquitto of a test's own on a free loopback port; killed when released.
public final class Broker {
  /// The port that it listens on, also after a restart.
  public let port: UInt16
  private let directory: TemporaryDirectory
  private var process: ChildProcess?

  /// Writes a broker's configuration and starts it unless told otherwise. `options` are further
  /// lines; `accessRules` the lines of its ACL file; with `keepsSessions` sessions and what is
  /// queued for them outlive an orderly stop.
  public init(
    options: [String] = [], keepsSessions: Bool = false, accessRules: [String]? = nil,
    port: UInt16? = nil, starts: Bool = true
  ) throws {
    self.port = try port ?? LoopbackPorts.free()
    directory = try TemporaryDirectory()
    // Started by root it would change to a user that can't write here.
    var lines = ["listener \(self.port) 127.0.0.1", "allow_anonymous true", "user root"]
    if keepsSessions {
      lines += [
        "persistence true", "persistence_location \(directory.path)/", "max_queued_messages 0",
      ]
    }
    if let accessRules {
      try write(accessRules.map { $0 + "\n" }.joined(), to: directory.file("acl"))
      lines.append("acl_file \(directory.file("acl"))")
    }
    try write((lines + options).map { $0 + "\n" }.joined(), to: directory.file("mosquitto.conf"))
    if starts { try start() }
  }

  /// Returns once it takes connections.
  public func start() throws {
    let process = try ChildProcess(Self.program, ["-v", "-c", directory.file("mosquitto.conf")])
    self.process = process
    try waitUntil("mosquitto listens on \(port)") {
      // Else a program that took its port would be taken for it.
      guard process.isRunning else { throw WaitedInVain("mosquitto ended: \(process.errors)") }
      // It listens a moment before it handles SIGTERM.
      return LoopbackPorts.isListening(port) && process.catches(SIGTERM)
    }
  }

  /// Ends it in order: it takes leave of its clients and writes its sessions down.
  public func stop() throws {
    guard let process else { return }
    self.process = nil
    let status = try process.stop()
    guard status == 0 else {
      throw WaitedInVain("mosquitto stops in order; ended with \(status): \(process.errors)")
    }
  }

  /// Ends it at once, as a crash would.
  public func kill() {
    process?.kill()
    process = nil
  }

  /// Stops it from running without closing a socket.
  public func freeze() { process?.send(SIGSTOP) }

  /// Lets it run on.
  public func thaw() { process?.send(SIGCONT) }

  // Not in the path of every user.
  private static let program =
    ["/usr/sbin/mosquitto", "/usr/bin/mosquitto"].first { (path: String) in access(path, X_OK) == 0
    } ?? "mosquitto"
}
