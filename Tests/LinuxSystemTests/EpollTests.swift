import Glibc
import LinuxSystem
import Testing

@Suite("A set of descriptors to wait on")
struct EpollTests {
  @Test("A descriptor is told by its key for as long as it is readable")
  func readable() throws {
    let (set, first, second) = (try Epoll(), try EventFD(), try EventFD())
    try set.add(first.descriptor, as: 7)
    try set.add(second.descriptor, as: .max)
    #expect(set.wait(forMilliseconds: 0).isEmpty)
    second.signal()
    for _ in 0..<2 {
      #expect(set.wait(forMilliseconds: nil).map(\.key) == [.max])
    }
    second.clear()
    first.signal()
    let ready = set.wait(forMilliseconds: nil)
    #expect(ready.map(\.key) == [7])
    #expect(ready.map(\.isReadable) == [true])
    set.remove(first.descriptor)
    #expect(set.wait(forMilliseconds: 0).isEmpty)
  }

  @Test("A descriptor that is hung up is told as such, and leaves the set when it is closed")
  func hungUp() throws {
    var ends: [Int32] = [-1, -1]
    try systemCall("pipe") { pipe(&ends) }
    let set = try Epoll()
    try set.add(ends[0], as: 1)
    close(ends[1])
    #expect(set.wait(forMilliseconds: nil).map(\.isReadable) == [false])
    close(ends[0])
    #expect(set.wait(forMilliseconds: 0).isEmpty)
    #expect(throws: SystemError.self) { try set.add(ends[0], as: 2) }
  }
}
