internal import ArgumentParser
internal import Glibc
internal import LinuxSystem

/// Lines on standard output, many at a time. A reader that has enough (`| head`) ends the program
/// quietly.
final class OutputLines {
  /// A pipe's size: more at once gains nothing.
  private static let flushBytes = 64 * 1024
  private static let newline = UInt8(ascii: "\n")

  private var waiting: [UInt8] = []

  /// Adds a line.
  func add(_ line: [UInt8]) {
    waiting += line
    waiting.append(Self.newline)
    if waiting.count >= Self.flushBytes { flush() }
  }

  /// Writes lines. Ends the program with exit 74 where they can't be written.
  static func write(_ lines: [String]) {
    let output = OutputLines()
    for line in lines { output.add(Array(line.utf8)) }
    output.flush()
  }

  /// Writes what waits.
  func flush() {
    var written = 0
    while written < waiting.count {
      do throws(SystemError) {
        written += try systemCall("write", on: "standard output") {
          waiting[written...].withUnsafeBytes {
            Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count)
          }
        }
      } catch {
        // Where SIGPIPE is not ignored the kernel has ended us already.
        if error.code == EPIPE { exit(EXIT_SUCCESS) }
        Log.error(error.description)
        exit(ExitStatus.outputFailed.rawValue)
      }
    }
    waiting.removeAll(keepingCapacity: true)
  }
}
