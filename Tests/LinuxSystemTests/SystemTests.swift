import Foundation
import Glibc
import LinuxSystem
import Telemetry
import TestSupport
import Testing

@Suite("System calls and clocks", .ownThread)
struct SystemTests {
  @Test("An error says which call, on what, and why")
  func texts() {
    let missing = SystemError(call: "open", subject: "/x", code: ENOENT)
    #expect(missing.description == "open /x: No such file or directory")
    #expect(missing.reason == "No such file or directory")
    #expect(
      SystemError(call: "eventfd", subject: "", code: EMFILE).description
        == "eventfd: Too many open files")
    let unknown = SystemError(call: "x", subject: "", code: 4095).description
    #expect(unknown.hasPrefix("x: ") && unknown.hasSuffix("error 4095"), "\(unknown)")
  }

  @Test("A call that fails throws its error number; one that does not gives its result")
  func failure() throws {
    #expect(throws: SystemError(call: "open", subject: "/no/where", code: ENOENT)) {
      try systemCall("open", on: "/no/where") { open("/no/where", O_RDONLY) }
    }
    #expect(try systemCall("getpid") { getpid() } == getpid())
  }

  @Test("A call that a signal interrupts is made again")
  func interruption() throws {
    var calls = 0
    let result = try systemCall("read") { () -> Int in
      calls += 1
      guard calls < 3 else { return 7 }
      errno = EINTR
      return -1
    }
    #expect(result == 7)
    #expect(calls == 3)
  }

  @Test("A signal is kept until it is cleared, many count as one, and another thread's wakes")
  func eventDescriptor() throws {
    let event = try EventFD()
    func isReadable() -> Bool {
      var entry = pollfd(fd: event.descriptor, events: Int16(POLLIN), revents: 0)
      return poll(&entry, 1, 0) == 1
    }
    #expect(!isReadable())
    for _ in 0..<1000 { event.signal() }
    #expect(isReadable())
    event.clear()
    #expect(!isReadable())
    // Clearing what is clear does not block.
    event.clear()

    event.signal()
    event.wait(forMilliseconds: nil)
    #expect(!isReadable())
    let start = ContinuousClock.now
    event.wait(forMilliseconds: 100)
    #expect(ContinuousClock.now - start >= .milliseconds(99))
    try LinuxSystem.Thread.start(named: "signaller") { event.signal() }
    event.wait(forMilliseconds: nil)
    #expect(!isReadable())
  }

  @Test("Descriptors are closed with their owners")
  func closing() throws {
    // So many are more than other tests may have open at the same time.
    var highest: Int32 = 0
    for _ in 0..<5000 { highest = max(highest, try EventFD().descriptor) }
    #expect(highest < 4000)
  }

  @Test("Monotonic time is that since boot, wall time that of the system, and neither runs back")
  func clock() throws {
    let clock = KernelClock()
    let uptime = try #require(Double(text(of: "/proc/uptime").prefix { $0 != " " }))
    let first = clock.now()
    let wall = Date().timeIntervalSince1970 * 1000
    // A machine that stalls between the readings may take its time.
    #expect(Double(first.monotonic) / 1000 >= uptime - 0.02)
    #expect(Double(first.monotonic) / 1000 < uptime + 30)
    #expect(abs(Double(first.wall) - wall) < 30_000)
    var last = first
    for _ in 0..<1000 {
      let now = clock.now()
      #expect(now.monotonic >= last.monotonic)
      last = now
    }
  }

  @Test("A file that one has locked is refused to another, until it is closed")
  func locks() throws {
    let directory = try TemporaryDirectory()
    let path = directory.file("lock")
    let first = try systemCall("open") { open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600) }
    let second = try systemCall("open") { open(path, O_RDWR | O_CLOEXEC) }
    defer { close(second) }
    try tryLock(first, path: path)
    #expect(throws: SystemError(call: "flock", subject: path, code: EWOULDBLOCK)) {
      try tryLock(second, path: path)
    }
    close(first)
    try tryLock(second, path: path)
  }
}
