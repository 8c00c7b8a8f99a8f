internal import Glibc
internal import LinuxSystem

/// A thread of another program that is held where it is, as by a call that hangs in the kernel,
/// while the program's other threads run on. To be used by one thread, on a program that it
/// started.
public final class HeldThread {
  private typealias Trace = @convention(c) (Int, Int, Int, Int) -> Int
  // <sys/ptrace.h>; the function is variadic, which Swift does not import.
  private static let (seize, interrupt, detach) = (0x4206, 0x4207, 17)
  private static let waitAll: Int32 = 0x4000_0000

  private let id: Int
  private let trace: Trace
  private var isReleased = false

  /// Holds the thread of `program` with this name, as far as the kernel keeps names (15 bytes).
  public init(_ name: String, of program: ChildProcess) throws {
    guard let found = Self.thread(named: String(name.prefix(15)), of: program.id) else {
      throw WaitedInVain("a thread named \(name)")
    }
    guard let symbol = dlsym(nil, "ptrace") else { throw WaitedInVain("ptrace") }
    id = found
    trace = unsafeBitCast(symbol, to: Trace.self)
    let (trace, id) = (trace, id)
    _ = try systemCall("ptrace", on: "seize \(name)") { trace(Self.seize, id, 0, 0) }
    _ = try systemCall("ptrace", on: "interrupt \(name)") { trace(Self.interrupt, id, 0, 0) }
    var status: Int32 = 0
    _ = try systemCall("waitpid", on: name) { waitpid(pid_t(id), &status, Self.waitAll) }
  }

  deinit { release() }

  /// Lets it go on. One that ended with its program has to be waited for by whoever held it, else
  /// the program never ends.
  public func release() {
    guard !isReleased else { return }
    isReleased = true
    if trace(Self.detach, id, 0, 0) == 0 { return }
    var status: Int32 = 0
    waitpid(pid_t(id), &status, Self.waitAll)
  }

  private static func thread(named name: String, of process: pid_t) -> Int? {
    let tasks = "/proc/\(process)/task"
    guard let handle = opendir(tasks) else { return nil }
    defer { closedir(handle) }
    while let entry = readdir(handle) {
      let id = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if text(of: "\(tasks)/\(id)/comm") == name + "\n" { return Int(id) }
    }
    return nil
  }
}
