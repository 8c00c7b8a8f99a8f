internal import Glibc

/// A system call that failed: which one, on what, and why.
public struct SystemError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The call, such as `open`.
  public var call: String
  /// The file, address or other thing it was about; may be empty.
  public var subject: String
  /// The error number, such as ENOENT.
  public var code: Int32

  /// Makes an error of an error number that was saved right after the call.
  public init(call: String, subject: String, code: Int32) {
    self.call = call
    self.subject = subject
    self.code = code
  }

  /// The system's words for the code, such as `No such file or directory`.
  public var reason: String {
    var buffer = [CChar](repeating: 0, count: 128)
    return buffer.withUnsafeMutableBufferPointer { buffer in
      guard let start = buffer.baseAddress else { return "error \(code)" }
      // glibc's Swift module shows the POSIX strerror_r: 0 and the text in the buffer.
      guard strerror_r(code, start, buffer.count) == 0 else { return "error \(code)" }
      return String(cString: start)
    }
  }

  /// Whether it says that there is no such file.
  public var isAbsence: Bool { code == ENOENT }

  /// Call, subject and reason in one line.
  public var description: String {
    subject.isEmpty ? "\(call): \(reason)" : "\(call) \(subject): \(reason)"
  }
}

/// Makes a system call that reports failure by -1, again if a signal interrupted it.
@discardableResult
public func systemCall<Result: FixedWidthInteger & SignedInteger>(
  _ call: String, on subject: @autoclosure () -> String = "", _ body: () -> Result
) throws(SystemError) -> Result {
  while true {
    let result = body()
    // Saved at once: any other call may change it.
    let code = errno
    if result != -1 { return result }
    if code != EINTR { throw SystemError(call: call, subject: subject(), code: code) }
  }
}
