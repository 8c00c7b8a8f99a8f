import Glibc
import LinuxSystem
import TestSupport
import Testing

@testable import Buffering

/// Each byte of a small store is changed, one at a time.
@Suite("Damage to every byte", .ownThread)
struct EveryByteTests {
  /// Zeros behind what a file holds are changed by so many at once: nothing in them is looked at.
  static let paddingStride = 256

  static let steps: [Exercise.Step] = [
    .samples, .events, .commit, .acknowledge, .saveCursors, .samples, .redefine, .samples, .commit,
    .restart, .samples, .commit,
  ]

  static func store() -> Exercise {
    let exercise = Exercise(seed: 5, segments: 6, segmentBytes: 6144)
    exercise.open()
    for step in steps { exercise.take(step) }
    return exercise
  }

  /// What is changed, one after the other: each byte alone, padding by the block.
  static func places(in bytes: [UInt8], every stride: Int) -> [Range<Int>] {
    var places: [Range<Int>] = []
    var offset = 0
    while offset < bytes.count {
      let end = min(offset + paddingStride, bytes.count)
      let isPadding = offset % paddingStride == 0 && bytes[offset..<end].allSatisfy { $0 == 0 }
      places.append(offset..<(isPadding ? end : offset + 1))
      offset = places[places.count - 1].upperBound
    }
    return places.indices.filter { $0 % stride == 0 }.map { places[$0] }
  }

  @Test(
    "The store opens, gives nothing that was not written, and explains what is missing",
    arguments: [false, true])
  func everyByte(isStopped: Bool) {
    let whole = Self.store()
    if isStopped { whole.take(.restart) }
    #expect(whole.ledger.problems.isEmpty, "without damage")
    let image = whole.disk.image()
    for path in whole.disk.paths {
      for place in Self.places(in: whole.disk.bytes(of: path), every: Seeds.stride(31)) {
        let disk = image.afterKill()
        disk.damage(path) { bytes in for offset in place { bytes[offset] ^= 0xFF } }
        let exercise = Exercise(whole, on: disk, isNewBoot: false)
        exercise.ledger.damage()
        exercise.open()
        guard !exercise.ledger.problems.isEmpty else { continue }
        #expect(exercise.ledger.problems.isEmpty, "byte \(place.lowerBound) of \(path)")
        // One of a file is enough to look into.
        break
      }
    }
  }

  @Test("Damage to the only key of an epoch told of is explained", arguments: [false, true])
  func onlyKey(isStopped: Bool) {
    let whole = Self.store()
    if isStopped { whole.take(.restart) }
    let image = whole.disk.image()
    for path in whole.disk.paths where path.contains("/data/") {
      for offset in [4133, 4168] {
        let disk = image.afterKill()
        disk.damage(path) { $0[offset] ^= 0xFF }
        let exercise = Exercise(whole, on: disk, isNewBoot: false)
        exercise.ledger.damage()
        exercise.open()
        #expect(exercise.ledger.problems.isEmpty, "byte \(offset) of \(path)")
      }
    }
  }

  @Test("Whatever the lock file holds, the store opens")
  func lock() throws {
    let directory = try TemporaryDirectory()
    for content in [[], [0xFF], Array("-1".utf8), [UInt8](repeating: 0x39, count: 9000)] {
      let file = try DiskStorage().open(directory.file("lock"), creating: true)
      try file.write(content as [UInt8], at: 0)
      _ = try StoreLock(directory: directory.path)
    }
  }
}
