internal import CSQLite

/// A call to SQLite that failed: what it was to do, and SQLite's words for why.
struct SQLiteError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The statement or the file.
  var subject: String
  /// The extended result code.
  var code: Int32
  /// SQLite's message.
  var message: String

  var description: String { "SQLite error \(code): \(message) - \(subject)" }
}

/// One connection to a database file. It belongs to the thread that made it.
final class Database {
  // Taken in `init`, closed in `deinit`; statements keep the connection alive until they are gone.
  private let handle: OpaquePointer

  /// How long another process (a verification beside a running receiver) may hold a lock.
  private static let patienceMilliseconds: Int32 = 5000

  /// Opens the file, and makes it if `creates`.
  init(path: String, creates: Bool) throws(SQLiteError) {
    var handle: OpaquePointer?
    let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (creates ? SQLITE_OPEN_CREATE : 0)
    let code = sqlite3_open_v2(path, &handle, flags, nil)
    guard code == SQLITE_OK, let handle else {
      let message = handle.map { String(cString: sqlite3_errmsg($0)) } ?? "out of memory"
      sqlite3_close_v2(handle)
      throw SQLiteError(subject: "open \(path)", code: code, message: message)
    }
    self.handle = handle
    sqlite3_extended_result_codes(handle, 1)
    sqlite3_busy_timeout(handle, Self.patienceMilliseconds)
  }

  deinit { sqlite3_close_v2(handle) }

  /// Runs statements that bind nothing and whose rows nobody wants.
  func execute(_ sql: String) throws(SQLiteError) {
    let code = sqlite3_exec(handle, sql, nil, nil, nil)
    guard code == SQLITE_OK else { throw error(code, sql) }
  }

  /// Compiles a statement for many uses.
  func prepare(_ sql: String) throws(SQLiteError) -> Statement {
    var statement: OpaquePointer?
    let code = sqlite3_prepare_v3(
      handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
    guard code == SQLITE_OK, let statement else { throw error(code, sql) }
    return Statement(statement, of: self, sql)
  }

  /// The id of the row inserted last.
  var lastInsertedRow: Int64 { sqlite3_last_insert_rowid(handle) }

  fileprivate func error(_ code: Int32, _ subject: String) -> SQLiteError {
    SQLiteError(subject: subject, code: code, message: String(cString: sqlite3_errmsg(handle)))
  }
}

/// A compiled statement. Values are bound in order, then its rows are stepped through.
final class Statement {
  // Taken in `init`, released in `deinit`.
  private let handle: OpaquePointer
  private let database: Database
  private let sql: String
  private var bound: Int32 = 0

  /// SQLite copies what is bound: Swift's buffers live for the call only.
  private static let copies = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

  fileprivate init(_ handle: OpaquePointer, of database: Database, _ sql: String) {
    self.handle = handle
    self.database = database
    self.sql = sql
  }

  deinit { sqlite3_finalize(handle) }

  /// Makes the statement ready for other values.
  func reset() {
    // Its result repeats the error of the last step, which was thrown.
    _ = sqlite3_reset(handle)
    bound = 0
  }

  func bind(_ number: Int64) throws(SQLiteError) {
    bound += 1
    try check(sqlite3_bind_int64(handle, bound, number))
  }

  func bind(_ text: String) throws(SQLiteError) {
    bound += 1
    try check(sqlite3_bind_text(handle, bound, text, -1, Self.copies))
  }

  func bind(_ bytes: [UInt8]) throws(SQLiteError) {
    bound += 1
    let code = bytes.withUnsafeBytes { buffer in
      buffer.isEmpty
        ? sqlite3_bind_zeroblob(handle, bound, 0)
        : sqlite3_bind_blob64(
          handle, bound, buffer.baseAddress, UInt64(buffer.count), Self.copies)
    }
    try check(code)
  }

  /// Goes to the next row; false when there is none.
  func step() throws(SQLiteError) -> Bool {
    let code = sqlite3_step(handle)
    switch code {
    case SQLITE_ROW: return true
    case SQLITE_DONE: return false
    default: throw database.error(code, sql)
    }
  }

  func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

  func text(_ column: Int32) -> String {
    sqlite3_column_text(handle, column).map { String(cString: $0) } ?? ""
  }

  func bytes(_ column: Int32) -> [UInt8] {
    guard let start = sqlite3_column_blob(handle, column) else { return [] }
    let count = Int(sqlite3_column_bytes(handle, column))
    return [UInt8](UnsafeRawBufferPointer(start: start, count: count))
  }

  private func check(_ code: Int32) throws(SQLiteError) {
    guard code == SQLITE_OK else { throw database.error(code, sql) }
  }
}
