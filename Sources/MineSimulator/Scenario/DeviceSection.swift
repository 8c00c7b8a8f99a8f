internal import ConfigurationFile

/// The devices of a scenario file.
struct DeviceSection {
  var devices: [SimulatedDevice] = []
  /// Whether every device of the file is in `devices`.
  var isComplete = true

  /// How often an agent may be told to read a device, in milliseconds.
  private static let intervals: ClosedRange<Int64> = 1...86_400_000
  /// A slave that takes longer is better played by a fault.
  private static let delays: ClosedRange<Int64> = 0...60_000
  /// Unit addresses that a slave may have (Modbus over serial line V1.02, section 2.2).
  private static let units: ClosedRange<Int64> = 1...247

  static func read(_ value: ConfigurationValue, stations: StationSection) -> DeviceSection {
    var section = DeviceSection()
    _ = value.mapping { reader in
      let members = reader.takeNamed()
      if members.isEmpty { value.refuse("is empty", "at least one device is expected") }
      for (name, value) in members { section.append(name, value, stations) }
      return ()
    }
    return section
  }

  private struct Fields {
    var station: String?
    var unit: Int64?
    var every: Int64
    var delay: Int64
    var copies: Copies
    var points: PointSection
  }

  private mutating func append(
    _ name: String, _ value: ConfigurationValue, _ stations: StationSection
  ) {
    let fields = value.mapping { reader in
      Fields(
        station: reader.require("station", "a station's name").flatMap { station in
          station.choice(stations.names, "a station")
        },
        unit: reader.require("unit", "a unit").flatMap { $0.integer(in: Self.units) },
        every: reader.take("every").flatMap { $0.duration(in: Self.intervals) } ?? 1000,
        delay: reader.take("delay").flatMap { $0.duration(in: Self.delays) } ?? 0,
        copies: Copies(reader, max: Scenario.devicesMax),
        points: PointSection.read(reader.require("points", "at least one point")))
    }
    guard let fields, let unit = fields.unit, let station = fields.station,
      let group = stations.groups[station]
    else {
      isComplete = false
      return
    }
    if let copies = group.copies, copies != fields.copies.count {
      value.refuse(
        "its station \(station) is repeated \(copies) times", "repeat: \(copies) is expected")
      isComplete = false
      return
    }
    for (index, name) in fields.copies.names(name).enumerated() {
      // Copies of a station take one device each; a single station takes them all.
      let isSpread = group.copies != nil
      append(
        SimulatedDevice(
          name: name, station: group.first + (isSpread ? index : 0),
          unit: UInt8(clamping: unit + (isSpread ? 0 : Int64(index))),
          everyMilliseconds: fields.every, delayMilliseconds: fields.delay,
          points: fields.points.points, notes: fields.points.notes), value)
    }
    if devices.count > Scenario.devicesMax {
      value.refuse("is device number \(devices.count)", "at most \(Scenario.devicesMax)")
    }
  }

  private mutating func append(_ device: SimulatedDevice, _ value: ConfigurationValue) {
    if device.unit > Self.units.upperBound {
      value.refuse("\(device.name) has no unit left", "units end at \(Self.units.upperBound)")
    }
    for other in devices {
      if other.name == device.name {
        value.refuse("another device is called \(device.name)", "a name of its own is expected")
      }
      if other.station == device.station, other.unit == device.unit {
        value.refuse(
          "\(device.name) is unit \(device.unit) of its station, as \(other.name) is",
          "a unit of its own is expected")
      }
    }
    devices.append(device)
  }
}
