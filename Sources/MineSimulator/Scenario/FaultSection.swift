internal import ConfigurationFile

/// The faults of a scenario file.
enum FaultSection {
  /// The kinds of fault as a file spells them.
  private enum Kind: String, CaseIterable {
    case silent, exception, late, cut, refuse
  }

  /// Stations and devices are `nil` where the file has none; that is reported already.
  static func read(
    _ value: ConfigurationValue, stations: StationSection?, devices: DeviceSection?
  ) -> [Fault] {
    let stations = stations?.stations.map(\.name) ?? []
    let devices = devices?.devices.map(\.name) ?? []
    let entries = value.list(1...Scenario.faultsMax, of: "1 to \(Scenario.faultsMax) faults")
    return (entries ?? []).compactMap { entry in
      entry.mapping { fault($0, stations, devices) }
    }
  }

  private static func fault(
    _ reader: MappingReader, _ stations: [String], _ devices: [String]
  ) -> Fault? {
    let target = target(reader, stations, devices)
    let times: ClosedRange<Int64> = 0...Scenario.durations.upperBound
    let from = reader.require("from", "a time such as 10s").flatMap { $0.duration(in: times) }
    let to = reader.require("to", "a time such as 40s").flatMap { $0.duration(in: times) }
    let kind = kind(reader)
    guard let target, let from, let to, let kind else { return nil }
    guard from < to else {
      reader.value.refuse("ends before it begins", "a time after from is expected as to")
      return nil
    }
    if kind == .refuse, case .device = target {
      reader.value.refuse("a device cannot refuse", "station is expected instead of device")
      return nil
    }
    return Fault(target: target, during: from..<to, kind: kind)
  }

  private static func target(
    _ reader: MappingReader, _ stations: [String], _ devices: [String]
  ) -> Fault.Target? {
    let device = reader.take("device")
    let station = reader.take("station")
    switch (device, station) {
    case (let device?, nil):
      return device.choice(devices, "a device").flatMap { devices.firstIndex(of: $0) }
        .map(Fault.Target.device)
    case (nil, let station?):
      return station.choice(stations, "a station").flatMap { stations.firstIndex(of: $0) }
        .map(Fault.Target.station)
    default:
      reader.value.refuse(
        device == nil ? "says not what it befalls" : "names a device and a station",
        "either device or station is expected")
      return nil
    }
  }

  private static func kind(_ reader: MappingReader) -> Fault.Kind? {
    let kind = reader.require("kind", "the kind of fault")
      .flatMap { $0.choice(Kind.self, "a kind of fault") }
    let code = reader.take("code")
    let by = reader.take("by")
    if let code, let kind, kind != .exception {
      code.refuse("means nothing for \(kind.rawValue)", "leave it out")
    }
    if let by, let kind, kind != .late {
      by.refuse("means nothing for \(kind.rawValue)", "leave it out")
    }
    switch kind {
    case .silent: return .silent
    case .cut: return .cut
    case .refuse: return .refuse
    case .exception:
      if code == nil { reader.value.refuse("has no code", "code: 1 to 11 is expected") }
      return code?.integer(in: 1...11).map { .exception(UInt8($0)) }
    case .late:
      if by == nil { reader.value.refuse("has no delay", "by: a duration is expected") }
      return by?.duration(in: Scenario.durations).map(Fault.Kind.late)
    case nil: return nil
    }
  }
}
