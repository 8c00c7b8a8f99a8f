internal import Glibc
public import LinuxSystem

/// Why a store could not be locked.
public enum StoreLockError: Error, Sendable, Hashable, CustomStringConvertible {
  /// Another agent has it; its process id where it could be read.
  case held(directory: String, pid: Int?)
  /// The lock file could not be opened or locked.
  case system(SystemError)

  /// What is wrong, in one line.
  public var description: String {
    switch self {
    case .held(let directory, let pid):
      "the store \(directory) is held by another agent" + (pid.map { ", process \($0)" } ?? "")
    case .system(let error): error.description
    }
  }
}

/// One agent a store: a lock that the kernel drops with the process, however it ends.
public final class StoreLock: Sendable {
  private let descriptor: Int32
  private let path: String

  /// Locks the store in `directory`, which has to be there.
  public init(directory: String) throws(StoreLockError) {
    let path = directory + "/lock"
    self.path = path
    do throws(SystemError) {
      descriptor = try systemCall("open", on: path) {
        open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
      }
      do throws(SystemError) {
        try tryLock(descriptor, path: path)
      } catch {
        let pid = Self.readPID(descriptor)
        close(descriptor)
        guard error.code == EWOULDBLOCK else { throw error }
        throw SystemError(call: "flock", subject: pid.map(String.init) ?? "", code: EWOULDBLOCK)
      }
    } catch {
      guard error.call == "flock", error.code == EWOULDBLOCK else { throw .system(error) }
      throw .held(directory: directory, pid: Int(error.subject))
    }
    // For the message that a second agent prints; the lock itself does not depend on it.
    let pid = Array("\(getpid())\n".utf8)
    _ = ftruncate(descriptor, 0)
    _ = pwrite(descriptor, pid, pid.count, 0)
  }

  deinit { close(descriptor) }

  /// Whether the locked file still has its name: where the store was deleted and made anew, another
  /// agent could lock the new one.
  public var isStanding: Bool {
    var (held, named) = (stat(), stat())
    return fstat(descriptor, &held) == 0 && stat(path, &named) == 0
      && held.st_ino == named.st_ino && held.st_dev == named.st_dev
  }

  /// The process that holds the store in `directory`: `nil` if none does, or if the lock can't be
  /// looked at; 0 if it does not say who it is. Changes nothing, and holds the lock for a moment at
  /// most.
  public static func holder(directory: String) -> Int? {
    let path = directory + "/lock"
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    do throws(SystemError) {
      try tryLock(descriptor, path: path)
      return nil
    } catch {
      return error.code == EWOULDBLOCK ? readPID(descriptor) ?? 0 : nil
    }
  }

  private static func readPID(_ descriptor: Int32) -> Int? {
    var buffer = [UInt8](repeating: 0, count: 16)
    let count = pread(descriptor, &buffer, buffer.count, 0)
    guard count > 0 else { return nil }
    return Int(String(decoding: buffer[..<count].prefix { $0 != 10 }, as: UTF8.self))
  }
}
