public import LinuxSystem

/// The file system as the journal uses it. A seam: production is `DiskStorage`; tests put one under
/// the journal that cuts the power, reorders what was not synced and fails chosen calls.
public protocol Storage: Sendable {
  /// Whether what was synced outlives the process and a power cut.
  var isDurable: Bool { get }

  /// Makes a directory, and its parents, unless it is there; durable when it returns.
  func createDirectory(_ path: String) throws(SystemError)
  /// The names in a directory, without `.` and `..`, in no order.
  func list(_ directory: String) throws(SystemError) -> [String]
  /// Opens a file for reading and writing.
  func open(_ path: String, creating: Bool) throws(SystemError) -> any StorageFile
  /// Renames within a directory, replacing what has the new name; durable after `syncDirectory`.
  func rename(_ old: String, to new: String) throws(SystemError)
  /// Removes a file; durable after `syncDirectory`.
  func remove(_ path: String) throws(SystemError)
  /// What of the file system that a directory is in may still be written, in bytes.
  func freeBytes(_ directory: String) throws(SystemError) -> Int
  /// Makes creations, renames and removals in a directory durable.
  func syncDirectory(_ path: String) throws(SystemError)
}

extension Storage {
  /// Only a real disk runs full of what others write.
  public func freeBytes(_ directory: String) -> Int { .max }
}

/// An open file; closed when released. Reads may come from any thread, beside one that writes.
public protocol StorageFile: AnyObject, Sendable {
  /// The file's length in bytes.
  func size() throws(SystemError) -> Int
  /// Fills `buffer` from `offset` on; returns fewer bytes only at the end of the file.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(SystemError) -> Int
  /// Writes all of `bytes` at `offset`.
  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(SystemError)
  /// Makes what was written durable (fdatasync).
  func sync() throws(SystemError)
  /// Whether it has no name any more: what is written to it is gone with the process.
  var isRemoved: Bool { get }
}

extension StorageFile {
  /// Only a real disk's files are removed by others.
  public var isRemoved: Bool { false }

  /// Up to `count` bytes from `offset` on; fewer only at the end of the file.
  func read(_ count: Int, at offset: Int) throws(SystemError) -> [UInt8] {
    var failure: SystemError?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      do throws(SystemError) {
        filled = try read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return bytes
  }

  /// Writes all of `bytes` at `offset`.
  func write(_ bytes: [UInt8], at offset: Int) throws(SystemError) {
    var failure: SystemError?
    bytes.withUnsafeBytes { buffer in
      do throws(SystemError) {
        try write(buffer, at: offset)
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
  }
}
