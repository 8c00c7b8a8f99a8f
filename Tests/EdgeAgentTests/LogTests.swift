import Foundation
import TestSupport
import Testing

/// What `edge-agent` writes to its log.
@Suite("The agent's log", .ownThread)
struct LogTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func configure(uplinks: String) throws {
    try write(
      """
      gateway: { id: gw-1, mine: "0520", region: "520201" }
      storage:
        directory: \(directory.file("store"))
        data: { size: 8MiB }
        events: { size: 4MiB }
      control: { socket: \(directory.file("control")) }
      uplinks:
      \(uplinks)

      """, to: directory.file("agent.yaml"))
  }

  private func start() throws -> ChildProcess {
    // As journald's stream is named.
    try start(through: "JOURNAL_STREAM=$(stat -Lc %d:%i /proc/self/fd/2) exec \"$0\" \"$@\"")
  }

  private func start(
    through script: String, environment: [String: String] = [:]
  ) throws -> ChildProcess {
    try ChildProcess(
      "sh", ["-c", script, Programs.agent, "run", "-c", directory.file("agent.yaml")],
      environment: environment.merging([
        "EDGE_AGENT_BOARDS": Programs.sourceTree + "/boards"
      ]) { $1 })
  }

  @Test("Priorities are for journald only, not for whoever was handed down its variable")
  func noPriorities() throws {
    try configure(uplinks: "  province: { url: mqtt://127.0.0.1:1 }")
    let agent = try start(through: "JOURNAL_STREAM=1:1 exec \"$0\" \"$@\"")
    try agent.waitUntilItPrints("runs as gw-1")
    #expect(try agent.stop() == 0)
    #expect(!agent.errors.contains("<"), "\(agent.errors)")
  }

  @Test(
    "Whoever reads the log and hangs holds up nothing, and is told what it missed",
    arguments: [true, false])
  func hangingReader(readsAgain: Bool) throws {
    try configure(uplinks: "  province: { url: mqtt://127.0.0.1:1 }")
    let pipe = directory.file("log")
    mkfifo(pipe, 0o600)
    let descriptor = open(pipe, O_RDWR | O_NONBLOCK | O_CLOEXEC)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    var page = [UInt8](repeating: UInt8(ascii: "x"), count: 4096)
    while Glibc.write(descriptor, page, page.count) > 0 {}
    func readAll() -> String {
      var all: [UInt8] = []
      while true {
        let count = read(descriptor, &page, page.count)
        guard count > 0 else { return String(decoding: all, as: UTF8.self) }
        all += page[..<count]
      }
    }

    let socket = try NotifySocket(directory.file("notify"))
    let agent = try start(
      through: "exec \"$0\" \"$@\" 2>\"$LOG\"",
      environment: ["LOG": pipe, "NOTIFY_SOCKET": socket.name])
    try waitUntil("it has started") { socket.count(of: "READY=1") == 1 }
    if readsAgain { #expect(!readAll().contains("runs as")) }
    #expect(try agent.stop() == 0)
    let rest = readAll()
    if readsAgain {
      #expect(rest.contains(#/^[0-9]+ lines of the log were not taken in time and are lost\n/#))
    }
    #expect(rest.contains("stopped") == readsAgain)
  }

  @Test("No password and nothing of a key file reaches the log")
  func keepsSecrets() throws {
    let secret = "R2VoZWltbmlz"
    let broker = try Broker()
    let port = broker.port
    try write("\(secret)\n", to: directory.file("password"))
    try write(
      "-----BEGIN PRIVATE KEY-----\n\(secret)\n-----END PRIVATE KEY-----\n",
      to: directory.file("key.pem"))
    chmod(directory.file("key.pem"), 0o600)
    try configure(
      uplinks: """
          plain:
            url: mqtt://127.0.0.1:\(port)
            username: \(secret)-user
            password-file: \(directory.file("password"))
          secure:
            url: mqtts://127.0.0.1:\(port)
            client-id: other
            ca-file: \(directory.file("key.pem"))
            certificate-file: \(directory.file("key.pem"))
            key-file: \(directory.file("key.pem"))
        """)
    let agent = try start()
    try agent.waitUntilItPrints("destination plain: ok")
    try agent.waitUntilItPrints("destination secure: ")
    try broker.stop()
    try agent.waitUntilItPrints("destination plain: refused")
    #expect(try agent.stop() == 0)
    #expect(!agent.errors.contains(secret), "\(agent.errors)")
    #expect(agent.errors.split(separator: "\n").allSatisfy { $0.contains(/^<[345]>/) })
  }

  @Test(
    "A refused configuration does not quote what may be a password",
    arguments: [
      "url: mqtt://user:geheim@127.0.0.1", "url: mqtt://user:geheim@127.0.0.1:x", "url: geheim",
      "{ url: mqtt://127.0.0.1, password: geheim }",
      "{ url: mqtt://127.0.0.1, username: u, password-file: geheim }",
    ])
  func refusesWithoutQuoting(uplink: String) throws {
    try configure(uplinks: "  province: " + (uplink.hasPrefix("{") ? uplink : "{ \(uplink) }"))
    let result = try ChildProcess.run(
      Programs.agent, ["check", "-c", directory.file("agent.yaml")],
      environment: ["EDGE_AGENT_BOARDS": Programs.sourceTree + "/boards"])
    #expect(result.status == 78)
    #expect(!result.errors.contains("geheim"), "\(result.errors)")
  }

  @Test("What was held back is told before the end")
  func tellsAtTheEnd() throws {
    try configure(uplinks: "  province: { url: mqtt://127.0.0.1:1 }")
    let agent = try start()
    try agent.waitUntilItPrints("runs as gw-1")
    let path = directory.file("agent.yaml")
    try write(text(of: path) + "nonsense: true\n", to: path)
    let word = "reload: \(path) is wrong; nothing changed"
    // As often as an operator's request is answered in a window.
    let burst = 60
    for count in 1...burst {
      agent.send(SIGHUP)
      try waitUntil("reload \(count)") {
        agent.errors.components(separatedBy: word).count - 1 >= count
      }
    }
    // Of two signals the kernel hands out the lower first.
    agent.send(SIGHUP)
    agent.send(SIGTERM)
    #expect(try agent.waitForEnd() == 0)
    let lines = agent.errors.split(separator: "\n")
    #expect(lines.suffix(2).map(String.init) == ["<3>" + word, "<5>stopped"])
    #expect(lines.count { $0.contains(": nonsense: unknown key") } == burst)
    #expect(lines.count { $0.contains(word) } == burst + 1)
  }
}
