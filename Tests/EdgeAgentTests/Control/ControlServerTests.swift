import Glibc
import LinuxSystem
import TestSupport
import Testing

@testable import EdgeAgent

/// The server in this process, at sockets in a directory of the test's own.
@Suite("The control socket", .ownThread)
struct ControlServerTests {
  private struct Echo: ControlResponder {
    func answer(_ request: ControlRequest) throws(ControlRefusal) -> [UInt8] {
      Array("{\"v\":1,\"command\":\"\(request.command)\"}".utf8)
    }
  }

  private let directory: TemporaryDirectory
  private let path: String

  init() throws {
    directory = try TemporaryDirectory()
    path = directory.file("run/control.sock")
  }

  /// A server and what it told its observer.
  private final class Running {
    let server: ControlServer
    let told = Monitor<[String?]>([])

    init(_ path: String) throws {
      let told = told
      server = try ControlServer(path: path, responder: Echo()) { fault in
        told.update { $0.append(fault) }
      }
      try server.start()
    }

    deinit { server.cancel() }

    var news: [String?] { told.withLock { $0 } }

    func waitUntilItListens() throws {
      try waitUntil("it listens; told \(news)") { news.last == .some(nil) }
    }

    func stop() {
      server.cancel()
      #expect(server.waitForEnd(atMost: patienceSeconds))
    }
  }

  private func ask(_ path: String) throws -> String {
    let client = try RawClient(path)
    client.send("{\"v\":1,\"command\":\"x\"}\n")
    return try client.receiveAll()
  }

  private let answer = "{\"v\":1,\"command\":\"x\"}\n"

  private func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  /// A socket file that nobody listens on, as a killed agent leaves it.
  private func leaveSocket(at path: String) throws {
    let address = try #require(UnixSocketAddress(path: path))
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    try systemCall("bind") { address.withPointer { bind(descriptor, $0, $1) } }
  }

  @Test("It makes its directory, answers, and is gone after an orderly stop")
  func life() throws {
    let running = try Running(path)
    try running.waitUntilItListens()
    #expect(running.news == [nil])
    for _ in 0..<20 { #expect(try ask(path) == answer) }
    running.stop()
    #expect(!exists(path))
    #expect(exists(directory.file("run")))
  }

  @Test("A socket that a killed agent left is replaced")
  func stale() throws {
    mkdir(directory.file("run"), 0o755)
    try leaveSocket(at: path)
    #expect(exists(path))
    let running = try Running(path)
    try running.waitUntilItListens()
    #expect(running.news == [nil])
    #expect(try ask(path) == answer)
    running.stop()
  }

  @Test("A file in its place is left alone, said, and once it is away the socket is there")
  func file() throws {
    mkdir(directory.file("run"), 0o755)
    try write("mine", to: path)
    let running = try Running(path)
    try waitUntil("told") { !running.news.isEmpty }
    #expect(running.news == ["\(path) is there and is not a socket"])
    #expect(text(of: path) == "mine")
    unlink(path)
    try running.waitUntilItListens()
    #expect(try ask(path) == answer)
    running.stop()
  }

  @Test("A socket that answers is never taken; the second takes over when the first has ended")
  func taken() throws {
    let first = try Running(path)
    try first.waitUntilItListens()
    let second = try Running(path)
    try waitUntil("told") { !second.news.isEmpty }
    #expect(second.news.first == "another process answers at \(path)")
    #expect(try ask(path) == answer)
    first.stop()
    try second.waitUntilItListens()
    #expect(try ask(path) == answer)
    second.stop()
    #expect(!exists(path))
  }

  @Test("Who stops leaves another's socket in its place")
  func others() throws {
    let running = try Running(path)
    try running.waitUntilItListens()
    // Another inode, also where the file system uses numbers again.
    rename(path, directory.file("old"))
    try leaveSocket(at: path)
    running.stop()
    #expect(exists(path))
  }

  @Test("A directory that appears later, and one that is cleared, both heal")
  func heals() throws {
    let deep = directory.file("later/run/control.sock")
    let running = try Running(deep)
    try waitUntil("told") { !running.news.isEmpty }
    #expect(running.news[0]?.contains("No such file or directory") == true)
    mkdir(directory.file("later"), 0o755)
    try running.waitUntilItListens()
    #expect(try ask(deep) == answer)
    // The same fault a second time is no news to the health board, which compares.
    unlink(deep)
    rmdir(directory.file("later/run"))
    try waitUntil("it is there again") { exists(deep) }
    try waitUntil("and answers") { (try? ask(deep)) == answer }
    running.stop()
    #expect(!exists(deep))
  }

  @Test("20 clients that say nothing keep nobody out, and each is told or closed")
  func silent() throws {
    let running = try Running(path)
    try running.waitUntilItListens()
    let clients = try (0..<20).map { _ in try RawClient(path) }
    let start = ContinuousClock.now
    #expect(try ask(path) == answer)
    #expect(ContinuousClock.now - start < .seconds(3 + latenessSeconds))
    let words = try clients.map { try $0.receiveAll() }
    #expect(words.allSatisfy { $0.contains("\"error\":\"busy\"") || $0.contains("too-slow") })
    #expect(words.contains { $0.contains("busy") })
    running.stop()
  }

  @Test("Garbage, a request without end and 200 connections leave no descriptor behind")
  func descriptors() throws {
    let running = try Running(path)
    try running.waitUntilItListens()
    for _ in 0..<200 {
      let client = try RawClient(path)
      client.send("\u{0}garbage\n")
      #expect(try client.receiveAll().contains("malformed-request"))
    }
    let endless = try RawClient(path)
    endless.send(String(repeating: "x", count: 2 * ControlProtocol.largestRequest))
    #expect(try endless.receiveAll().contains("too-large"))
    // Other tests of this process open and close theirs: only those of this socket count.
    try waitUntil("the server lets all go") { connections() <= 1 }
    running.stop()
  }

  /// Sockets bound to this test's path, by the kernel's list: the listener and its accepted ones.
  private func connections() -> Int {
    lines(of: "/proc/net/unix").filter { $0.hasSuffix(path) }.count
  }
}
