internal import Glibc
internal import LinuxSystem
internal import Telemetry

/// What became of one request.
struct TruthRecord: Sendable, Hashable {
  enum Outcome: Sendable, Hashable {
    /// The points that the answer carried whole; `late`: the milliseconds that a fault added.
    case values([PointValue], late: Int64?)
    /// Not answered properly: `silent`, `cut` or `exception-N`.
    case fault(String)
  }

  /// Index into the scenario's devices.
  var device: Int
  var outcome: Outcome
}

extension TruthRecord {
  /// Appends the record as one line of JSON; `writer` is only working memory.
  func appendLine(
    to lines: inout [UInt8], using writer: inout JSONWriter, time: Timestamp, scenario: Scenario
  ) {
    let device = scenario.devices[device]
    writer.reset()
    writer.beginObject()
    writer.member("time", time.wall)
    writer.member("mono", time.monotonic)
    writer.member("device", device.name)
    switch outcome {
    case .values(let values, let late):
      if let late { writer.member("late", late) }
      writer.key("values")
      writer.beginObject()
      for entry in values {
        writer.key(device.points[entry.point].name)
        writer.value(entry.value)
      }
      writer.endObject()
    case .fault(let fault):
      writer.member("fault", fault)
    }
    writer.endObject()
    lines.append(contentsOf: writer.bytes)
    lines.append(UInt8(ascii: "\n"))
  }
}

/// The file of what was really answered, which a test compares with what arrived. Appends whole
/// lines; what a kill can lose is `flushMilliseconds` of them and a turn of the server's loop.
struct GroundTruth: ~Copyable {
  /// Half of the 100 ms that the file may lag behind, so that a busy loop still keeps to them.
  static let flushMilliseconds: Int64 = 50
  /// Written at once beyond this, so that the memory is bounded however fast the requests come.
  private static let bufferBytesMax = 64 * 1024

  private let descriptor: Int32
  private let path: String
  private var lines: [UInt8] = []
  private var writer = JSONWriter()
  /// When the oldest line in `lines` has to be in the file.
  private(set) var nextFlush: Int64?

  /// Opens the file for appending, and makes it if it is missing.
  init(path: String) throws(SystemError) {
    self.path = path
    descriptor = try systemCall("open", on: path) {
      open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    }
    lines.reserveCapacity(2 * Self.bufferBytesMax)
  }

  deinit { close(descriptor) }

  /// Takes a record over that came about at `time`.
  mutating func append(
    _ record: TruthRecord, time: Timestamp, scenario: Scenario
  ) throws(SystemError) {
    record.appendLine(to: &lines, using: &writer, time: time, scenario: scenario)
    if nextFlush == nil { nextFlush = time.monotonic + Self.flushMilliseconds }
    if lines.count > Self.bufferBytesMax { try flush() }
  }

  /// Writes what is due at `milliseconds` of the monotonic clock.
  mutating func flush(dueBy milliseconds: Int64) throws(SystemError) {
    if let nextFlush, nextFlush <= milliseconds { try flush() }
  }

  /// Hands all lines to the kernel.
  mutating func flush() throws(SystemError) {
    try writeAll(lines, to: descriptor, named: path)
    lines.removeAll(keepingCapacity: true)
    nextFlush = nil
  }
}
