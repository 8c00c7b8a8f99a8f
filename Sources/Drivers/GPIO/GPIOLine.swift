internal import CGPIO
internal import Glibc
internal import LinuxSystem

/// The C library that GPIO goes by.
enum GPIOLibrary {
  /// The major version of its header when this was built: 1 or 2.
  static var majorVersion: Int { Int(CGPIO_header_major()) }
  /// The version of the library itself, such as `1.6.3`.
  static var version: String { String(cString: CGPIO_library_version()) }
}

/// A GPIO chip that is open to be looked at; closed when released.
final class GPIOChip {
  /// A line as the kernel describes it.
  struct Line: Sendable, Hashable {
    /// What the board's device tree calls it; may be empty.
    var name: String
    /// Who holds it, as it calls itself; may be empty though it is held.
    var consumer: String
    /// Whether anybody holds it, this process too.
    var isUsed: Bool
    /// Whether it is driven by the board.
    var isOutput: Bool
  }

  /// Its device, such as `/dev/gpiochip0`.
  let path: String
  /// What the kernel calls it, such as `gpiochip0`.
  let name: String
  /// What its driver calls it.
  let label: String
  /// How many lines it has, numbered from 0.
  let lineCount: UInt32
  private let handle: OpaquePointer

  /// Opens the chip whose device is at `path`.
  init(path: String) throws(SystemError) {
    guard let handle = CGPIO_chip_open(path) else {
      throw SystemError(call: "open", subject: path, code: errno)
    }
    var info = CGPIO_chip_info()
    guard CGPIO_chip_info(handle, &info) == 0 else {
      let code = errno
      CGPIO_chip_close(handle)
      throw SystemError(call: "GPIO_GET_CHIPINFO", subject: path, code: code)
    }
    self.path = path
    self.handle = handle
    name = Self.text(info.name)
    label = Self.text(info.label)
    lineCount = info.line_count
  }

  deinit { CGPIO_chip_close(handle) }

  /// What the kernel says of a line.
  func line(_ offset: UInt32) throws(SystemError) -> Line {
    var info = CGPIO_line_info()
    guard CGPIO_chip_line_info(handle, offset, &info) == 0 else {
      throw SystemError(call: "GPIO_GET_LINEINFO", subject: "\(path) line \(offset)", code: errno)
    }
    return Line(
      name: Self.text(info.name), consumer: Self.text(info.consumer), isUsed: info.is_used,
      isOutput: info.is_output)
  }

  private static func text<Characters>(_ characters: Characters) -> String {
    withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }
}

/// A GPIO line that this process holds as an input; given back when released.
final class GPIOLine {
  /// What is asked of the kernel.
  struct Request: Sendable, Hashable {
    /// The chip's device.
    var path: String
    /// The line's number on it.
    var offset: UInt32
    /// Whether a low voltage is the active state.
    var isActiveLow: Bool
    /// What holds the input.
    var bias: LineBias
    /// Whether its edges are to be told.
    var hasEdges: Bool
    /// How long the kernel is to debounce it; 0: not.
    var debounceMilliseconds: Int64 = 0
    /// How many edges the kernel is to keep, where it can be asked for that.
    var queueSize = GPIOLine.queueSize
  }

  /// What a read of edges brought.
  struct Reading {
    /// The edges, oldest first.
    var edges: [LineEdge]
    /// Whether the kernel had no more room: what came then is lost. Where edges have numbers, those
    /// tell it.
    var isQueueFull: Bool
    /// Whether those were all.
    var isLast: Bool
  }

  /// What the agent calls itself to others that want the line.
  static let consumer = "edge-agent"
  /// A second of a frequency of 500 Hz, and the most that the kernel gives one line.
  static let queueSize: UInt32 = 1024

  private let handle: OpaquePointer
  private let subject: String
  /// The descriptor that is readable when there are edges; `nil` of a line without.
  let descriptor: Int32?

  /// Asks the kernel for a line.
  init(_ request: Request) throws(SystemError) {
    subject = "\(request.path) line \(request.offset)"
    let handle = Self.consumer.withCString { consumer in
      var words = CGPIO_request(
        consumer: consumer, offset: request.offset, is_active_low: request.isActiveLow,
        has_edges: request.hasEdges, bias: request.bias.code,
        debounce_us: UInt32(clamping: request.debounceMilliseconds * 1000),
        queue_size: request.queueSize)
      return CGPIO_line_open(request.path, &words)
    }
    guard let handle else { throw SystemError(call: "request", subject: subject, code: errno) }
    self.handle = handle
    descriptor = request.hasEdges ? CGPIO_line_descriptor(handle) : nil
  }

  deinit { CGPIO_line_close(handle) }

  /// Whether the line is active, now.
  func isActive() throws(SystemError) -> Bool {
    let value = CGPIO_line_value(handle)
    guard value >= 0 else { throw SystemError(call: "read", subject: subject, code: errno) }
    return value == 1
  }

  /// Takes the edges that the kernel has, without waiting; a bounded number.
  func readEdges() throws(SystemError) -> Reading {
    let edges = withUnsafeTemporaryAllocation(of: CGPIO_edge.self, capacity: Int(CGPIO_READ_MAX)) {
      buffer -> [LineEdge]? in
      let count = CGPIO_line_read(handle, buffer.baseAddress, buffer.count)
      guard count >= 0 else { return nil }
      return (0..<Int(count)).map { index in
        let edge = buffer[index]
        return LineEdge(
          isRising: edge.is_rising, nanoseconds: edge.nanoseconds,
          sequence: edge.sequence == 0 ? nil : edge.sequence)
      }
    }
    guard let edges else { throw SystemError(call: "read", subject: subject, code: errno) }
    // 1.x hands over the whole queue at once.
    let most = Int(GPIOLibrary.majorVersion == 1 ? CGPIO_QUEUE_V1 : CGPIO_READ_MAX)
    return Reading(
      edges: edges, isQueueFull: GPIOLibrary.majorVersion == 1 && edges.count >= most,
      isLast: edges.count < most)
  }
}

extension LineBias {
  fileprivate var code: CGPIO_bias {
    switch self {
    case .asIs: CGPIO_BIAS_AS_IS
    case .none: CGPIO_BIAS_NONE
    case .pullUp: CGPIO_BIAS_PULL_UP
    case .pullDown: CGPIO_BIAS_PULL_DOWN
    }
  }
}
