import TestSupport
import Testing

@testable import EdgeAgent

@Suite("The room that a store has")
struct StorageSpaceTests {
  @Test("Its own files count, what has to stay free does not, and a directory may not be there yet")
  func room() throws {
    let directory = try TemporaryDirectory()
    var storage = StorageConfiguration(
      directory: directory.file("a/store"), dataBytes: 8 << 20, commitMilliseconds: 1000,
      eventBytes: 4 << 20, keepFreeBytes: 0, keepRemovedMilliseconds: 0)
    let free = try #require(StorageSpace.bytes(for: storage))
    #expect(free > 0)
    // More than any disk has.
    storage.keepFreeBytes = 1 << 60
    #expect(StorageSpace.bytes(for: storage) == 0)
    #expect(StorageSpace.warning(storage)?.contains("12 MiB") == true)
    for name in ["data", "events"] {
      _ = try ChildProcess.run("mkdir", ["-p", storage.directory + "/" + name])
      try write("", to: storage.directory + "/" + name + "/00000001.seg")
    }
    #expect(StorageSpace.bytes(for: storage) == 2 << 20)
  }
}
