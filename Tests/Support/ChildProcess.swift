public import Glibc
public import LinuxSystem

/// A program that a test runs, with its output in files; killed when released.
public final class ChildProcess {
  /// Its process id.
  public let id: pid_t
  private let name: String
  private let directory: TemporaryDirectory
  // As waitpid gives it, once it has ended.
  private var status: Int32?

  /// Starts a program, which is looked for in the path if it is a bare name. `environment` is added
  /// to this process's.
  public init(
    _ program: String, _ arguments: [String] = [], input: String = "/dev/null",
    environment: [String: String] = [:]
  ) throws(SystemError) {
    name = program
    directory = try TemporaryDirectory()
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, input, O_RDONLY, 0)
    let flags = O_WRONLY | O_CREAT | O_APPEND
    let files = [
      (STDOUT_FILENO, directory.file("output")), (STDERR_FILENO, directory.file("errors")),
    ]
    for (descriptor, file) in files {
      posix_spawn_file_actions_addopen(&actions, descriptor, file, flags, 0o600)
    }
    Self.keepDescriptorsFromChildren()

    // The pool's threads block all signals and a shell may ignore some, and a child inherits both:
    // SIGTERM would not end it.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    var all = sigset_t()
    sigfillset(&all)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

    let words = CStrings([program] + arguments)
    let variables = CStrings(Self.environment(with: environment))
    var id: pid_t = 0
    let code = posix_spawnp(&id, program, &actions, &attributes, words.pointers, variables.pointers)
    guard code == 0 else { throw SystemError(call: "posix_spawn", subject: program, code: code) }
    self.id = id
  }

  deinit { kill() }

  /// What it wrote to standard output so far.
  public var output: String { text(of: directory.file("output")) }
  /// What it wrote to standard error so far.
  public var errors: String { text(of: directory.file("errors")) }

  /// Whether it has not ended yet.
  public var isRunning: Bool {
    if status == nil {
      var status: Int32 = 0
      if waitpid(id, &status, WNOHANG) == id { self.status = status }
    }
    return status == nil
  }

  /// Whether it has a handler for a signal by now, so that the signal does not just end it.
  public func catches(_ signal: Int32) -> Bool {
    let status = text(of: "/proc/\(id)/status")
    guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix("SigCgt:") }),
      let mask = line.split(whereSeparator: { $0 == ":" || $0 == "\t" }).last,
      let caught = UInt64(mask, radix: 16)
    else { return false }
    return caught >> UInt64(signal - 1) & 1 == 1
  }

  /// Sends a signal, if it still runs.
  public func send(_ signal: Int32) { if isRunning { Glibc.kill(id, signal) } }

  /// Ends it at once, as a power cut would, and waits until it is gone.
  public func kill() {
    send(SIGKILL)
    if status == nil {
      var status: Int32 = 0
      waitpid(id, &status, 0)
      self.status = status
    }
  }

  /// Waits for its end and gives its exit status; for an end by a signal 128 + the signal.
  public func waitForEnd(within seconds: Double = patienceSeconds) throws -> Int32 {
    try waitUntil("\(name) ends; it said \(output)\(errors)", within: seconds) { !isRunning }
    let final = status ?? 0
    return final & 0x7F == 0 ? (final >> 8) & 0xFF : 128 + (final & 0x7F)
  }

  /// Asks it to stop (SIGTERM) and gives its exit status; killed and an error if it does not.
  @discardableResult
  public func stop(within seconds: Double = patienceSeconds) throws -> Int32 {
    send(SIGTERM)
    do {
      return try waitForEnd(within: seconds)
    } catch {
      kill()
      throw error
    }
  }

  /// Waits for `text` on standard output or standard error.
  public func waitUntilItPrints(
    _ text: String, within seconds: Double = patienceSeconds
  ) throws {
    func hasPrinted() -> Bool { output.contains(text) || errors.contains(text) }
    try waitUntil("\(name) prints \"\(text)\"; it said \(output)\(errors)", within: seconds) {
      // Asked before looking: what it wrote before its end is seen then.
      let isRunning = isRunning
      if hasPrinted() { return true }
      guard isRunning else { throw WaitedInVain("\(name) ended without \"\(text)\": \(errors)") }
      return false
    }
  }

  /// Runs a program to its end.
  public static func run(
    _ program: String, _ arguments: [String] = [], input: String = "/dev/null",
    environment: [String: String] = [:], within seconds: Double = patienceSeconds
  ) throws -> (status: Int32, output: String, errors: String) {
    let process = try ChildProcess(program, arguments, input: input, environment: environment)
    let status = try process.waitForEnd(within: seconds)
    return (status, process.output, process.errors)
  }

  /// A connection of another test must not stay open because a child has it too, and libraries open
  /// theirs without O_CLOEXEC. (glibc's `posix_spawn_file_actions_addclosefrom_np` is not in
  /// Swift's Glibc module.)
  private static func keepDescriptorsFromChildren() {
    guard let handle = opendir("/proc/self/fd") else { return }
    defer { closedir(handle) }
    while let entry = readdir(handle) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      guard let descriptor = Int32(name), descriptor > STDERR_FILENO else { continue }
      let flags = fcntl(descriptor, F_GETFD)
      if flags >= 0 { _ = fcntl(descriptor, F_SETFD, flags | FD_CLOEXEC) }
    }
  }

  private static func environment(with added: [String: String]) -> [String] {
    var variables: [String] = []
    var next = environ
    while let variable = next.pointee {
      let text = String(cString: variable)
      if added[String(text.prefix { $0 != "=" })] == nil { variables.append(text) }
      next += 1
    }
    return variables + added.map { "\($0.key)=\($0.value)" }
  }
}

/// Strings as `posix_spawn` takes them, freed when released.
private final class CStrings {
  let pointers: [UnsafeMutablePointer<CChar>?]

  init(_ strings: [String]) { pointers = strings.map { strdup($0) } + [nil] }

  deinit { for pointer in pointers { free(pointer) } }
}
