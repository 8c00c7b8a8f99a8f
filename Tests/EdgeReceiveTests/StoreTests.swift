import Foundation
import Testing

@testable import EdgeReceive

@Suite struct StoreTests {
  private let mine = HandMade()
  private let path = FileManager.default.temporaryDirectory
    .appendingPathComponent("store-\(UUID().uuidString).sqlite").path

  private func remove() {
    for suffix in ["", "-wal", "-shm"] {
      try? FileManager.default.removeItem(atPath: path + suffix)
    }
  }

  private func keep(_ messages: [ArrivedMessage], in store: MessageStore) throws -> [Bool] {
    try store.keep(messages.map { ($0, Content($0)) })
  }

  private func all(of store: MessageStore) throws -> [ArrivedMessage] {
    var messages: [ArrivedMessage] = []
    try store.forEachMessage { messages.append($0) }
    return messages
  }

  @Test("Every message is kept as it came, in order, rubbish too")
  func keepsEverything() throws {
    defer { remove() }
    var rubbish = mine.message("data", "")
    rubbish.payload = [0, 255, 0]
    rubbish.isRetained = true
    let messages = [
      mine.live(2), rubbish, mine.live(1), mine.live(2), mine.message("points/1", ""),
    ]
    let store = try MessageStore(path: path, creates: true)
    #expect(try keep(messages, in: store) == [false, false, false, true, false])
    #expect(try all(of: store) == messages)
  }

  @Test("A repeat is known after the store was closed")
  func remembersIdentities() throws {
    defer { remove() }
    #expect(try keep([mine.live(1)], in: MessageStore(path: path, creates: true)) == [false])
    var clone = mine
    clone.boot = "00000001"
    let messages = [mine.live(1), clone.live(1), mine.live(2)]
    #expect(
      try keep(messages, in: MessageStore(path: path, creates: true)) == [true, false, false])
  }

  @Test("The index points to the corrected copy where there is one")
  func correctedCopyCounts() throws {
    defer { remove() }
    var unsynced = mine
    unsynced.clock = "unsynced"
    var corrected = mine
    corrected.clock = "corrected"
    _ = try keep(
      [unsynced.live(1), corrected.live(1), unsynced.live(1), mine.live(2), mine.live(2)],
      in: MessageStore(path: path, creates: true))
    let database = try Database(path: path, creates: false)
    let rows = try database.prepare("SELECT seq, message, clock, copies FROM batch ORDER BY seq")
    #expect(try rows.step())
    #expect(rows.integer(1) == 2)
    #expect(rows.text(2) == "corrected")
    #expect(rows.integer(3) == 3)
    #expect(try rows.step())
    #expect(rows.integer(1) == 4)
    #expect(try !rows.step())
  }

  @Test("Verifying makes no store, and takes no other file for one")
  func refusesOthers() throws {
    defer { remove() }
    #expect(throws: SQLiteError.self) { try MessageStore(path: path, creates: false) }
    #expect(!FileManager.default.fileExists(atPath: path))
    try Database(path: path, creates: true).execute("PRAGMA user_version = 9")
    let error = #expect(throws: SQLiteError.self) { try MessageStore(path: path, creates: true) }
    #expect(
      error?.message == "the file has version 9 of the tables, 1 is expected")
    try Data("no database at all, but long enough to be looked at".utf8)
      .write(to: URL(fileURLWithPath: path))
    #expect(throws: SQLiteError.self) { try MessageStore(path: path, creates: true) }
  }
}
