internal import Glibc
internal import LinuxSystem

/// The end of the descriptors that libmodbus can take: it waits with `select`, and a higher one
/// aborts the process.
enum DescriptorLimit {
  private static let selectLimit: Int32 = 1024
  /// Descriptors that other threads may take between the check and libmodbus's own call.
  private static let reserve: Int32 = 16

  /// Fails if the next descriptor would be too high.
  static func check() throws(ConnectError) {
    let lowestFree: Int32
    do {
      lowestFree = try systemCall("fcntl") { fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0) }
    } catch {
      throw .failed(error)
    }
    close(lowestFree)
    guard lowestFree < selectLimit - reserve else {
      throw .descriptorTooHigh(lowestFree: lowestFree, limit: selectLimit - reserve)
    }
  }
}
