import LinuxSystem
import TestSupport
import Testing

@testable import Buffering

@Suite("Files of the kernel")
struct DiskStorageTests {
  @Test(
    "A directory is made with its parents, however its path is written, and again without a word",
    arguments: ["a/b", "a/b/", "a//b//", "a/./b/"])
  func makesDirectories(path: String) throws {
    let directory = try TemporaryDirectory()
    let storage = DiskStorage()
    for _ in 0..<2 { try storage.createDirectory(directory.path + "/" + path) }
    let file = try storage.open(directory.path + "/a/b/file", creating: true)
    try file.write([1], at: 0)
    #expect(try storage.list(directory.path + "/a/b") == ["file"])
  }

  @Test("A file where a directory should be is an error")
  func refusesFiles() throws {
    let directory = try TemporaryDirectory()
    let storage = DiskStorage()
    _ = try storage.open(directory.path + "/a", creating: true)
    #expect(throws: SystemError.self) { try storage.createDirectory(directory.path + "/a/b/") }
  }
}
