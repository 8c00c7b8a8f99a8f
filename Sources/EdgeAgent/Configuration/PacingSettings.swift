internal import ConfigurationFile
internal import Drivers

/// How much time a device is given, as its manual says or its installer found; keys of a device or
/// its profile.
struct PacingSettings {
  /// Milliseconds before its answer begins, beyond the bus's time-out.
  var turnaround: Setting<Int64> = .absent
  /// Milliseconds of silence around its requests.
  var pause: Setting<Int64> = .absent

  /// Takes the keys.
  static func read(_ mapping: MappingReader) -> PacingSettings {
    PacingSettings(
      turnaround: Setting(mapping.take("turnaround")) { $0.duration(in: BusManners.turnarounds) },
      pause: Setting(mapping.take("pause")) { $0.duration(in: BusManners.pauses) })
  }

  /// A device's over its profile's.
  func over(_ profile: PacingSettings) -> PacingSettings {
    PacingSettings(turnaround: turnaround.or(profile.turnaround), pause: pause.or(profile.pause))
  }

  /// A device with these; refused ones are reported already.
  func apply(to device: ModbusDevice) -> ModbusDevice {
    var device = device
    device.turnaroundMilliseconds = turnaround.value ?? 0
    device.pauseMilliseconds = pause.value ?? 0
    return device
  }
}
