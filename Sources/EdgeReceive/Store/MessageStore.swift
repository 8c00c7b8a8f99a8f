import Telemetry

/// Keeps every message that arrived, in the order of arrival, and an index of batches by identity
/// that tells repeats. It grows with what arrives: nothing is ever removed.
///
/// `message` holds all copies. `batch` has one row an identity and boot and points to the copy that
/// counts: the first, or a corrected one.
struct MessageStore {
  /// Version of the tables, in SQLite's `user_version`.
  private static let version: Int64 = 1

  private static let tables = """
    CREATE TABLE message(
      id INTEGER PRIMARY KEY, arrival INTEGER NOT NULL, topic TEXT NOT NULL,
      retained INTEGER NOT NULL, payload BLOB NOT NULL) STRICT;
    CREATE TABLE batch(
      gateway TEXT NOT NULL, store TEXT NOT NULL, stream TEXT NOT NULL, epoch INTEGER NOT NULL,
      seq INTEGER NOT NULL, boot TEXT NOT NULL, clock TEXT NOT NULL, copies INTEGER NOT NULL,
      message INTEGER NOT NULL REFERENCES message(id),
      PRIMARY KEY (gateway, store, stream, epoch, seq, boot)) STRICT, WITHOUT ROWID;
    PRAGMA user_version = 1;
    """

  private let database: Database
  private let insertMessage: Statement
  private let insertBatch: Statement

  /// Opens the store in the file; only a receiver `creates` one.
  init(path: String, creates: Bool) throws(SQLiteError) {
    database = try Database(path: path, creates: creates)
    // Committed transactions survive the end of the process; a power cut may cost the last ones,
    // which a reference receiver on a server can bear for one sync a checkpoint.
    try database.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
    try Self.prepareTables(in: database, path: path, creates: creates)
    insertMessage = try database.prepare(
      "INSERT INTO message(arrival, topic, retained, payload) VALUES (?, ?, ?, ?)")
    insertBatch = try database.prepare(
      """
      INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?)
      ON CONFLICT DO UPDATE SET copies = copies + 1,
        message = iif(excluded.clock = 'corrected', excluded.message, message),
        clock = iif(excluded.clock = 'corrected', excluded.clock, clock)
      RETURNING copies
      """)
  }

  private static func prepareTables(
    in database: Database, path: String, creates: Bool
  ) throws(SQLiteError) {
    let statement = try database.prepare("PRAGMA user_version")
    _ = try statement.step()
    let found = statement.integer(0)
    statement.reset()
    if found == 0, creates {
      try database.execute("BEGIN IMMEDIATE; \(tables) COMMIT")
    } else if found != version {
      throw SQLiteError(
        subject: "open \(path)", code: 0,
        message: "the file has version \(found) of the tables, \(version) is expected")
    }
  }

  /// Keeps messages in one transaction; tells for each whether it is a batch that was held already.
  func keep(_ messages: [(message: ArrivedMessage, content: Content)]) throws(SQLiteError) -> [Bool]
  {
    try database.execute("BEGIN IMMEDIATE")
    do throws(SQLiteError) {
      var repeats: [Bool] = []
      for (message, content) in messages {
        try keep(message)
        if case .batch(let batch, _) = content {
          repeats.append(try index(batch) > 1)
        } else {
          repeats.append(false)
        }
      }
      try database.execute("COMMIT")
      return repeats
    } catch {
      // The first error is the one to report; without it the rollback's own would be.
      try? database.execute("ROLLBACK")
      throw error
    }
  }

  private func keep(_ message: ArrivedMessage) throws(SQLiteError) {
    defer { insertMessage.reset() }
    try insertMessage.bind(message.arrival)
    try insertMessage.bind(message.topic)
    try insertMessage.bind(message.isRetained ? 1 : 0)
    try insertMessage.bind(message.payload)
    _ = try insertMessage.step()
  }

  /// Notes a batch of the message kept last; returns how many copies of it there are now.
  private func index(_ batch: ReceivedBatch) throws(SQLiteError) -> Int64 {
    let epoch = batch.stream.epoch
    let message = database.lastInsertedRow
    defer { insertBatch.reset() }
    try insertBatch.bind(epoch.gateway)
    try insertBatch.bind(hexadecimal(epoch.store, digits: 16))
    try insertBatch.bind("\(batch.stream.stream)")
    try insertBatch.bind(Int64(epoch.epoch))
    try insertBatch.bind(Int64(clamping: batch.seq))
    try insertBatch.bind("\(batch.boot)")
    try insertBatch.bind(batch.clock.rawValue)
    try insertBatch.bind(message)
    return try insertBatch.step() ? insertBatch.integer(0) : 1
  }

  /// Hands every message to `body` in the order of arrival, all as of one moment.
  func forEachMessage(_ body: (ArrivedMessage) -> Void) throws(SQLiteError) {
    let select = try database.prepare(
      "SELECT arrival, topic, retained, payload FROM message ORDER BY id")
    while try select.step() {
      body(
        ArrivedMessage(
          arrival: select.integer(0), topic: select.text(1), payload: select.bytes(3),
          isRetained: select.integer(2) != 0))
    }
  }
}
