internal import ConfigurationFile
internal import Drivers

/// A device with what cross checks and grouping need.
struct PlacedDevice {
  var name: String
  /// The configured name of its bus.
  var bus: String
  var device: ModbusDevice
  var place: ConfigurationValue
}

/// Points by name in a file's order.
typealias NamedPoints = [(name: String, settings: PointSettings)]

/// The `devices` section.
struct DeviceSection {
  /// As many as all registers of one device, and more than one gateway can poll at 1 Hz (see
  /// docs/performance.md); bounds memory, because a small file could name a large profile many
  /// times.
  static let maximumPoints = 65_536

  private let profiles: ProfileLibrary

  /// Takes profiles from the given library.
  init(_ profiles: ProfileLibrary) { self.profiles = profiles }

  /// Decodes the section; without one there are no devices: a technician may want to see the
  /// link to the monitoring network before the field side is wired.
  func devices(_ section: ConfigurationValue?, on buses: BusSection) -> [PlacedDevice] {
    let entries = section?.mapping { $0.takeNamed() } ?? []
    var devices: [PlacedDevice] = []
    var pointCount = 0
    for (name, value) in entries {
      guard let parts = value.mapping({ readParts($0, buses) }) else { continue }
      pointCount += parts.points?.count ?? 0
      guard pointCount <= Self.maximumPoints else {
        value.refuse("takes the file beyond \(Self.maximumPoints) points", "fewer are expected")
        break
      }
      if let device = makeDevice(name, value, parts) { devices.append(device) }
    }
    refuseDuplicateUnits(devices)
    return devices
  }

  /// A device's settings; `nil` for what was refused.
  private struct Parts {
    var bus: String?
    var unit: Setting<Int64>
    var every: Int64?
    var points: NamedPoints?
    var pacing: PacingSettings
    var report: ReportChoice?
    var priority: Setting<PollPriority>
    var limits: RequestLimitSettings
    var profileLimits: RequestLimitSettings
  }

  private func readParts(_ device: MappingReader, _ buses: BusSection) -> Parts {
    let bus = device.require("bus", "the name of a bus").flatMap { knownBus($0, buses) }
    let unit = Setting(device.require("unit", "the device's Modbus address 1…247")) {
      $0.integer(in: 1...247)
    }
    let every =
      device.take("every").map { $0.duration(in: PointSettings.intervals) } ?? 1000
    let report = device.take("report").flatMap(ReportChoice.read)
    let profilePlace = device.take("profile")
    let named = profilePlace.map { profiles.profile(namedAt: $0) }
    let profile = named.map { $0?.points } ?? []
    let base = Setting(device.take("address-base")) { $0.integer(in: 0...1) }
    let ownPlace = device.take("points")
    // Who adds to a profile has the manual that it was made from.
    let inherited = (named ?? nil)?.addressBase ?? 0
    let own = ownPlace.map { readPoints($0, addressBase: base.value ?? inherited) } ?? []
    refuseUselessBase(base, own)
    if profilePlace == nil, ownPlace == nil {
      device.value.refuse("has no points", "points or a profile is expected")
    } else if let own, let profile, own.isEmpty, profile.isEmpty {
      (ownPlace ?? device.value).refuse("has no points", "at least one is expected")
    }
    let merged = own.flatMap { own in profile.map { merge(own, over: $0) } }
    let pacing = PacingSettings.read(device)
    return Parts(
      bus: bus, unit: unit, every: every, points: merged,
      pacing: pacing.over((named ?? nil)?.pacing ?? PacingSettings()),
      report: report, priority: PollingSettings.priority(device),
      limits: RequestLimitSettings.read(device),
      profileLimits: (named ?? nil)?.limits ?? RequestLimitSettings())
  }

  /// A profile's addresses count as the profile says.
  private func refuseUselessBase(_ base: Setting<Int64>, _ own: NamedPoints?) {
    guard let place = base.place, let own, own.allSatisfy(\.settings.address.isAbsent) else {
      return
    }
    place.refuse(
      "counts no address: none stands here", "leave it out; a profile's count as the profile says")
  }

  private func knownBus(_ place: ConfigurationValue, _ buses: BusSection) -> String? {
    guard let name = place.text("the name of a bus") else { return nil }
    if buses.names.contains(name) { return name }
    place.refuse("there is no bus of this name", hint(for: name, buses))
    return nil
  }

  private func hint(for name: String, _ buses: BusSection) -> String {
    let known = buses.names.sorted().prefix(BusSection.maximumBuses)
    guard !known.isEmpty else { return "there are no buses" }
    return nearest(to: name, among: known).map { "did you mean \($0)?" }
      ?? "known here: " + known.joined(separator: ", ")
  }

  private func merge(_ own: NamedPoints, over profile: NamedPoints) -> NamedPoints {
    let overrides = Dictionary(own.map { ($0.name, $0.settings) }) { first, _ in first }
    let inherited = Set(profile.map(\.name))
    return profile.map { name, settings in
      (name, overrides[name]?.over(settings) ?? settings)
    } + own.filter { !inherited.contains($0.name) }
  }

  private func makeDevice(
    _ name: String, _ value: ConfigurationValue, _ parts: Parts
  ) -> PlacedDevice? {
    // Points are checked also if the rest is refused: all problems at once.
    let points = parts.points?.compactMap { name, settings in
      settings.polling.apply(
        to: settings.point(
          name: name, every: parts.every ?? 1000, report: parts.report),
        priority: parts.priority.value)
    }
    guard let bus = parts.bus, let unit = parts.unit.value, let points else { return nil }
    let limits = parts.limits.over(parts.profileLimits, for: points)
    return PlacedDevice(
      name: name, bus: bus,
      device: limits.apply(
        to: parts.pacing.apply(
          to: ModbusDevice(name: name, unit: UInt8(unit), points: points))),
      place: parts.unit.place ?? value)
  }

  private func refuseDuplicateUnits(_ devices: [PlacedDevice]) {
    struct Address: Hashable {
      var bus: String
      var unit: UInt8
    }
    var first: [Address: String] = [:]
    for device in devices {
      let address = Address(bus: device.bus, unit: device.device.unit)
      if let other = first[address] {
        device.place.refuse(
          "unit \(address.unit) on \(address.bus) is taken by \(other)",
          "one device a unit is expected")
      } else {
        first[address] = device.name
      }
    }
  }
}

/// Decodes the `points` of a device or a profile.
func readPoints(_ place: ConfigurationValue, addressBase: Int64) -> NamedPoints? {
  place.mapping { mapping in
    mapping.takeNamed().compactMap { name, value in
      PointSettings.read(value, addressBase: addressBase).map { (name, $0) }
    }
  }
}
