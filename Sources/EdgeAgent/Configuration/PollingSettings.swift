internal import ConfigurationFile
internal import Drivers
internal import Telemetry

/// Who is asked first when not all can be.
enum PollPriority: String, CaseIterable {
  case safety, normal
}

/// How a point is asked for, beside how often.
struct PollingSettings {
  /// Whether its request asks for no other point.
  var alone: Setting<Bool>
  /// Where nothing is said, the device's.
  var priority: Setting<PollPriority>

  /// Takes the keys of a point.
  static func read(_ point: MappingReader) -> PollingSettings {
    PollingSettings(alone: Setting(point.take("alone")) { $0.boolean() }, priority: priority(point))
  }

  /// Takes the priority of a point or a device.
  static func priority(_ mapping: MappingReader) -> Setting<PollPriority> {
    Setting(mapping.take("priority")) { $0.choice(PollPriority.self, "a priority") }
  }

  /// These settings over a profile's.
  func over(_ profile: PollingSettings) -> PollingSettings {
    PollingSettings(alone: alone.or(profile.alone), priority: priority.or(profile.priority))
  }

  /// A point as it is asked for.
  func apply(to point: ModbusPoint?, priority devicePriority: PollPriority?) -> ModbusPoint? {
    guard var point else { return nil }
    point.isAlone = alone.value ?? false
    point.isSafety = (priority.value ?? devicePriority) == .safety
    return point
  }
}

/// How much one request to a device may read, as its manual says; keys of a device or its profile.
struct RequestLimitSettings {
  var registers: Setting<Int64> = .absent
  var bits: Setting<Int64> = .absent

  /// Takes the keys.
  static func read(_ mapping: MappingReader) -> RequestLimitSettings {
    RequestLimitSettings(
      registers: limit(mapping, "max-registers", RequestLimits.registers),
      bits: limit(mapping, "max-bits", RequestLimits.bits))
  }

  private static func limit(
    _ mapping: MappingReader, _ key: String, _ range: ClosedRange<Int>
  ) -> Setting<Int64> {
    Setting(mapping.take(key)) { $0.integer(in: Int64(range.lowerBound)...Int64(range.upperBound)) }
  }

  /// A device's limits over its profile's, as far as they fit its points.
  func over(_ profile: RequestLimitSettings, for points: [ModbusPoint]) -> RequestLimitSettings {
    Self.refuseUseless(registers, for: points.filter { !$0.table.holdsBits }, "input or holding")
    Self.refuseUseless(bits, for: points.filter(\.table.holdsBits), "coil or discrete")
    let limits = RequestLimitSettings(
      registers: registers.or(profile.registers), bits: bits.or(profile.bits))
    guard case .given(let limit, let place) = limits.registers else { return limits }
    for point in points where !point.table.holdsBits && point.type.addressCount > limit {
      place.refuse(
        "\(limit) is less than the \(point.type.addressCount) registers of "
          + point.description.name, "a point is never read in two requests")
    }
    return limits
  }

  private static func refuseUseless(
    _ limit: Setting<Int64>, for points: [ModbusPoint], _ tables: String
  ) {
    guard points.isEmpty, let place = limit.place else { return }
    place.refuse("limits nothing: no point stands in \(tables)", "leave it out")
  }

  /// A device with these limits.
  func apply(to device: ModbusDevice) -> ModbusDevice {
    var device = device
    if let registers = registers.value { device.maximumRegisters = Int(registers) }
    if let bits = bits.value { device.maximumBits = Int(bits) }
    return device
  }
}
