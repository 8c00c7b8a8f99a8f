import Glibc

/// A program that a test runs, with files for its input and output. (`Foundation.Process`
/// would start it with the signals blocked that the calling thread blocks.)
final class ChildProcess {
  private let id: pid_t
  private var status: Int32?

  /// Starts the program, which is looked for in the path.
  init(
    _ program: String, _ arguments: [String], input: String = "/dev/null",
    output: String = "/dev/null"
  ) throws {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, input, O_RDONLY, 0)
    posix_spawn_file_actions_addopen(
      &actions, STDOUT_FILENO, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)

    // The pool's threads block all signals, and a child inherits that: SIGTERM would not end it.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))

    var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) }
    defer { for word in words { free(word) } }
    words.append(nil)
    var id: pid_t = 0
    let code = posix_spawnp(&id, program, &actions, &attributes, words, environ)
    guard code == 0 else { throw Waited(description: "\(program) can't be run: errno \(code)") }
    self.id = id
  }

  deinit {
    if status == nil {
      kill(id, SIGKILL)
      waitpid(id, nil, 0)
    }
  }

  /// Sends a signal, if it still runs.
  func send(_ signal: Int32) { if status == nil { kill(id, signal) } }

  /// Waits for its end and gives its exit code; for an end by a signal 128 + the signal.
  func waitForEnd() throws -> Int32 {
    var status: Int32 = 0
    try waitUntil("process \(id) ends") {
      self.status != nil || waitpid(id, &status, WNOHANG) == id
    }
    if self.status == nil { self.status = status }
    let final = self.status ?? 0
    return final & 0x7F == 0 ? (final >> 8) & 0xFF : 128 + (final & 0x7F)
  }
}

struct Waited: Error, CustomStringConvertible {
  var description: String
}

/// Looks every few milliseconds; the time only bounds a failing test.
func waitUntil(_ what: String, seconds: Double = 60, _ condition: () throws -> Bool) throws {
  let deadline = ContinuousClock.now + .seconds(seconds)
  while try !condition() {
    if ContinuousClock.now > deadline { throw Waited(description: "waited in vain: \(what)") }
    usleep(5_000)
  }
}

/// Runs a program to its end and gives its exit code.
func run(
  _ program: String, _ arguments: [String], input: String = "/dev/null",
  output: String = "/dev/null"
) throws -> Int32 {
  try ChildProcess(program, arguments, input: input, output: output).waitForEnd()
}
