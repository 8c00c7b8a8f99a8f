import LinuxSystem
import Testing

@Suite("A loop's heartbeat")
struct HeartbeatTests {
  let heartbeat = Heartbeat(name: "journal")

  @Test("A loop that has not begun, or rests, is never late")
  func rest() {
    #expect(!heartbeat.hasBegun)
    #expect(heartbeat.lateness(at: .max) == nil)
    heartbeat.turn(nextWithin: 10, now: 1000)
    #expect(heartbeat.hasBegun)
    heartbeat.rest()
    #expect(heartbeat.hasBegun)
    #expect(heartbeat.lateness(at: 1 << 60) == nil)
  }

  @Test("A turn is late from the millisecond after the one it was promised for")
  func lateness() {
    heartbeat.turn(nextWithin: 10, now: 1000)
    #expect(heartbeat.lateness(at: 1010) == nil)
    #expect(heartbeat.lateness(at: 1011) == 1)
    #expect(heartbeat.lateness(at: 61_010) == 60_000)
    heartbeat.turn(nextWithin: 10, now: 61_010)
    #expect(heartbeat.lateness(at: 61_011) == nil)
  }

  @Test("A promise beyond the end of time is none")
  func overflow() {
    heartbeat.turn(nextWithin: .max, now: 1000)
    #expect(heartbeat.lateness(at: 1 << 60) == nil)
    #expect(heartbeat.hasBegun)
  }

  @Test("Its clock is monotonic milliseconds")
  func clock() {
    let first = Heartbeat.now()
    #expect(Heartbeat.now() >= first)
    #expect(first > 0)
  }
}
