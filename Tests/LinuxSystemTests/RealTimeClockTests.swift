import Glibc
import LinuxSystem
import TestSupport
import Testing

@Suite("Real-time clocks of a board")
struct RealTimeClockTests {
  @Test("Those that the kernel lists are found, with whether it took the time from them")
  func found() throws {
    let directory = try TemporaryDirectory()
    for (name, hasSet) in [("rtc1", "0\n"), ("rtc0", "1\n")] {
      mkdir(directory.file(name), 0o700)
      try write(hasSet, to: directory.file(name + "/hctosys"))
    }
    mkdir(directory.file("rtc2"), 0o700)
    mkdir(directory.file("other"), 0o700)
    #expect(
      RealTimeClock.all(in: directory.path) == [
        RealTimeClock(name: "rtc0", hasSetSystemClock: true),
        RealTimeClock(name: "rtc1", hasSetSystemClock: false),
        RealTimeClock(name: "rtc2", hasSetSystemClock: false),
      ])
  }

  @Test("A board without the kernel's directory has none")
  func none() throws {
    #expect(RealTimeClock.all(in: try TemporaryDirectory().file("rtc")) == [])
  }
}
