internal import Telemetry

/// A point of a device, wherever it is delivered from.
struct DevicePoint: Sendable, Hashable, Comparable {
  var device: String
  var point: String

  static func < (left: DevicePoint, right: DevicePoint) -> Bool {
    (left.device, left.point) < (right.device, right.point)
  }
}

/// What the mine simulator says that it served.
struct Truth: Sendable, Hashable {
  /// The served values of each point, in the file's order.
  private(set) var values: [DevicePoint: [ServedValue]] = [:]
  /// Every device that was asked, also those that never answered properly.
  private(set) var devices: Set<String> = []
  /// Requests by the fault that kept them from an answer.
  private(set) var faults: [String: Int] = [:]
  /// Lines that are not what the simulator writes, with their numbers; the first ones.
  private(set) var malformed: [String] = []
  /// How many such lines there are.
  private(set) var malformedCount = 0

  /// Enough to see what is wrong with the file.
  static let malformedExampleLimit = 10

  private let comparesWallTime: Bool

  /// Makes an empty truth; lines are added. With `comparesWallTime` values are placed by the wall
  /// clock: the simulator's monotonic clock is another machine's than the agent's.
  init(comparesWallTime: Bool = false) {
    self.comparesWallTime = comparesWallTime
  }

  /// Adds line `number` of the file; a line that can't be read is counted.
  mutating func add(line: some Collection<UInt8>, number: Int) {
    do throws(PayloadError) {
      try add(JSONFields(BatchDecoder.json(Array(line))))
    } catch {
      malformedCount += 1
      if malformed.count < Self.malformedExampleLimit {
        malformed.append("line \(number): \(error)")
      }
    }
  }

  private mutating func add(_ fields: JSONFields) throws(PayloadError) {
    let device = try fields.string("device")
    let time = try fields.milliseconds("time")
    let monotonic = try fields.milliseconds("mono")
    let fault = try fields.optionalString("fault")
    let isLate = try fields.optionalInteger("late", Int64.self) != nil
    let served = try fault == nil ? fields.fields("values") : fields.optionalFields("values")
    var texts: [(point: String, text: String)] = []
    for (point, value) in served.members {
      texts.append((point, try BatchDecoder.text(value, point, served)))
    }
    devices.insert(device)
    if let fault {
      // A fault's values never reached the agent whole, whatever the line says.
      faults[fault, default: 0] += 1
      return
    }
    for (point, text) in texts {
      values[DevicePoint(device: device, point: point), default: []].append(
        ServedValue(
          monotonic: comparesWallTime ? time : monotonic, time: time, text: text, isLate: isLate))
    }
  }
}
