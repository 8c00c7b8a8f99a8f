import TestSupport
import Testing

@testable import EdgeAgent

@Suite("Words to the service manager")
struct ServiceManagerTests {
  @Test("They go to a path and to a name in the abstract space", arguments: [true, false])
  func sockets(isAbstract: Bool) throws {
    let directory = try TemporaryDirectory()
    let name = directory.file("notify")
    let socket = try NotifySocket(isAbstract ? "@" + name : name)
    let service = ServiceManager { $0 == "NOTIFY_SOCKET" ? socket.name : nil }
    service.ready(status: "two\nlines")
    service.reloading()
    #expect(service.status("well"))
    service.feedWatchdog()
    service.stopping()
    let messages = socket.receive()
    try #require(messages.count == 5)
    #expect(messages[0] == "READY=1\nSTATUS=two lines")
    #expect(messages[1].wholeMatch(of: /RELOADING=1\nMONOTONIC_USEC=[1-9][0-9]+/) != nil)
    #expect(Array(messages[2...]) == ["STATUS=well", "WATCHDOG=1", "STOPPING=1"])
    #expect(service.watchdogMilliseconds == nil)
  }

  @Test(
    "Without a socket, or with one that is none, nothing is said and nothing fails",
    arguments: [nil, "", "relative", "/no/such/socket", String(repeating: "/x", count: 60)])
  func nobody(name: String?) {
    let service = ServiceManager { $0 == "NOTIFY_SOCKET" ? name : nil }
    service.ready(status: "")
    service.stopping()
  }

  @Test("The watchdog's time counts only if it is meant for this process")
  func watchdog() {
    func milliseconds(_ time: String, process: String?) -> Int64? {
      ServiceManager { name in
        switch name {
        case "WATCHDOG_USEC": time
        case "WATCHDOG_PID": process
        default: nil
        }
      }.watchdogMilliseconds
    }
    #expect(milliseconds("30000000", process: nil) == 30_000)
    #expect(milliseconds("30000000", process: "\(processID())") == 30_000)
    #expect(milliseconds("30000000", process: "1") == nil)
    #expect(milliseconds("0", process: nil) == nil)
    #expect(milliseconds("soon", process: nil) == nil)
  }

  @Test("A manager whose queue is full does not hold the agent up")
  func fullQueue() throws {
    let directory = try TemporaryDirectory()
    let socket = try NotifySocket(directory.file("notify"))
    let service = ServiceManager { $0 == "NOTIFY_SOCKET" ? socket.name : nil }
    let start = ContinuousClock.now
    // More than any queue takes (net.unix.max_dgram_qlen).
    for _ in 0..<20_000 { service.feedWatchdog() }
    #expect(!service.status("well"))
    service.stopping()
    #expect(ContinuousClock.now - start < .seconds(30))
    #expect(socket.receive().count < 20_000)
  }
}
