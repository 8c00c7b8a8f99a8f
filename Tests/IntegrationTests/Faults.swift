import Foundation
import TestSupport
import Testing

/// A name server that is asked and never answers, and programs that know no other: they run in a
/// mount namespace of their own with a resolv.conf of their own.
final class SilentResolver {
  /// Whether this process may make mount namespaces.
  static let isPossible =
    (try? ChildProcess.run("unshare", ["--mount", "mount", "--bind", "/etc", "/etc"]))?.status == 0

  private let socket: Int32
  private let configuration: String

  init(in directory: TemporaryDirectory) throws {
    let socket = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    self.socket = socket
    configuration = directory.file("resolv.conf")
    // Resolvers are asked on port 53 only; each test has an address of its own.
    let (third, fourth) = (UInt8.random(in: 1...254), UInt8.random(in: 1...254))
    var address = loopbackAddress(53)
    address.sin_addr.s_addr =
      (UInt32(127) << 24 | UInt32(77) << 16 | UInt32(third) << 8 | UInt32(fourth)).bigEndian
    let isBound = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
    try #require(isBound)
    try write("nameserver 127.77.\(third).\(fourth)\noptions timeout:30\n", to: configuration)
  }

  deinit { close(socket) }

  /// What runs a program so; it has the process id of what it becomes.
  var launcher: [String] {
    let script = "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\""
    return ["unshare", "--mount", "sh", "-c", script, configuration]
  }

  /// Whether a question has come.
  var isAsked: Bool {
    var byte: UInt8 = 0
    return recv(socket, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) > 0
  }
}

/// A disk whose syncs do not return while it is blocked.
struct BlockedSync {
  private let library: String
  private let path: String

  init(in directory: TemporaryDirectory) throws {
    library = directory.file("blocked-sync.so")
    path = directory.file("block")
    let source = Programs.sourceTree + "/Tests/Fixtures/faults/blocked-sync.c"
    let result = try ChildProcess.run(
      "clang", ["-shared", "-fPIC", "-O1", "-o", library, source])
    try #require(result.status == 0, "\(result.errors)")
  }

  /// What a program is started with.
  var environment: [String: String] { ["LD_PRELOAD": library, "BLOCK_SYNC": path] }

  /// From now on no sync returns.
  func block() throws {
    unlink(path + ".reached")
    try write("", to: path)
  }

  /// Returns when a thread hangs in a sync.
  func waitUntilReached() throws {
    try waitUntil("a sync is called") { access(path + ".reached", F_OK) == 0 }
  }

  func release() { unlink(path) }
}

extension ChildProcess {
  /// Whether a signal was sent and nobody has taken it yet.
  func isPending(_ signal: Int32) -> Bool {
    Self.mask("ShdPnd", in: mainThreadStatus).contains(signal)
  }

  /// Whether a signal that was sent has been taken, and is not blocked any more: the next one acts
  /// at once. One look, so that both are of the same moment.
  func hasTaken(_ signal: Int32) throws -> Bool {
    let status = mainThreadStatus
    guard isRunning, !status.isEmpty else { throw WaitedInVain("it ended before: \(errors)") }
    return ["ShdPnd", "SigBlk"].allSatisfy { !Self.mask($0, in: status).contains(signal) }
  }

  private var mainThreadStatus: [String] { lines(of: "/proc/\(id)/task/\(id)/status") }

  private static func mask(_ name: String, in status: [String]) -> Set<Int32> {
    guard let line = status.first(where: { $0.hasPrefix(name + ":") }),
      let bits = UInt64(
        line.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces), radix: 16)
    else { return [] }
    return Set((1...64).filter { bits & (1 << UInt64($0 - 1)) != 0 }.map(Int32.init))
  }
}
