internal import ConfigurationFile
internal import Drivers
internal import Telemetry

extension PointSettings {
  /// The point that all settings together describe; `nil` after a problem.
  /// - Parameters:
  ///   - interval: Milliseconds between readings where the point says nothing itself.
  ///   - deviceChoice: When it is reported where the point says nothing itself.
  func point(
    name: String, every interval: Int64, report deviceChoice: ReportChoice? = nil
  ) -> ModbusPoint? {
    if address.isAbsent {
      place.refuse(
        "says not where it stands", "one of coil, discrete, input, holding is expected")
    }
    guard let type = registerType() else { return nil }
    let isPlain = refuseMeaningless(for: type)
    let hasUnit = requireUnit(for: type)
    let interval = every.value ?? interval
    let isConsistent = [
      fitsOrder(type), fitsBits(type), fitsReport(type, interval), fitsStates(type),
      fitsRange(type),
    ].allSatisfy { $0 }
    let special = specialPatterns(of: type)
    guard let start = address.value, fits(start, type), isPlain, hasUnit, isConsistent,
      let special
    else { return nil }
    let description = PointDescription(
      name: name, type: Self.name(of: type), unit: unit.value, range: range.value,
      location: location.value, decimals: decimals.value, enumeration: enumeration.value,
      report: rule(for: type, interval, deviceChoice))
    return ModbusPoint(
      description: description, table: start.table, address: start.address, type: type,
      order: order.value ?? .abcd, scale: scale.value.map(DecimalNumber.init),
      offset: offset.value.map(DecimalNumber.init), everyMilliseconds: interval,
      bits: bits.value, special: special)
  }

  /// The type that fits the table, with its bit.
  private func registerType() -> RegisterType? {
    if let bitPlace = bit.place, type.value != .bit, !type.isRefused {
      refuse("bit", bitPlace, "a bit of no bit type", "type: bit is expected beside it")
    }
    if let lengthPlace = length.place, type.value != .string, !type.isRefused {
      refuse("length", lengthPlace, "a length of no string", "type: string is expected beside it")
    }
    let holdsBits = address.value?.table.holdsBits
    if case .absent = type {
      if holdsBits == true { return bit.isAbsent ? .bool : nil }
      if holdsBits == false, bit.isAbsent {
        place.refuse("has no type", "a register needs one, such as uint16 or float32")
      }
      return nil
    }
    guard let chosen = type.value, let typePlace = type.place else { return nil }
    if let holdsBits, holdsBits != (chosen == .bool), let start = address.value {
      ownPlace(typePlace, address.place).refuse(
        "type \(chosen.rawValue) does not stand in \(start.table.rawValue)",
        holdsBits ? "bool is expected" : "a register type is expected; for one bit: type: bit")
      return nil
    }
    if chosen == .bit, bit.isAbsent {
      typePlace.refuse("says not which bit", "bit: 0 to 15 is expected beside it")
    }
    if chosen == .string, length.isAbsent {
      typePlace.refuse(
        "says not how long it is",
        "length: 1 to \(RegisterType.longestText) registers is expected beside it")
    }
    return registerType(chosen)
  }

  /// Refuses a key that belongs to a type which the point has not; the profile's are not dropped
  /// in silence.
  private func refuse(
    _ key: String, _ settingPlace: ConfigurationValue, _ what: String, _ expected: String
  ) {
    let blamed = ownPlace(settingPlace, type.place, address.place)
    guard settingPlace.file != place.file, let type = type.value else {
      blamed.refuse(what, expected)
      return
    }
    blamed.refuse(
      "\(key), which the profile gives it, means nothing for \(type.rawValue)",
      Self.anotherPoint)
  }

  private func registerType(_ type: PointType) -> RegisterType? {
    switch type {
    case .bool: .bool
    case .bit: bit.value.map { .bit(UInt8($0)) }
    case .int16: .int16
    case .uint16: .uint16
    case .int32: .int32
    case .uint32: .uint32
    case .int64: .int64
    case .uint64: .uint64
    case .float16: .float16
    case .float32: .float32
    case .float64: .float64
    case .bcd16: .bcd16
    case .bcd32: .bcd32
    case .bcd64: .bcd64
    case .string: length.value.map { .text(registers: $0) }
    }
  }

  /// What a point's readers see: one bit of a register is as good a truth value as a coil.
  static func name(of type: RegisterType) -> String {
    switch type {
    case .bool, .bit: PointType.bool.rawValue
    case .int16: PointType.int16.rawValue
    case .uint16: PointType.uint16.rawValue
    case .int32: PointType.int32.rawValue
    case .uint32: PointType.uint32.rawValue
    case .int64: PointType.int64.rawValue
    case .uint64: PointType.uint64.rawValue
    case .float16: PointType.float16.rawValue
    case .float32: PointType.float32.rawValue
    case .float64: PointType.float64.rawValue
    case .bcd16: PointType.bcd16.rawValue
    case .bcd32: PointType.bcd32.rawValue
    case .bcd64: PointType.bcd64.rawValue
    case .text: PointType.string.rawValue
    }
  }

  /// A number without a unit is a guess: methane in %CH4 and in %LEL differ twentyfold.
  private func requireUnit(for type: RegisterType) -> Bool {
    guard type.isNumber, enumeration.isAbsent else { return true }
    guard case .absent = unit else { return true }
    place.refuse(
      "has no unit of measure",
      "unit is expected, such as \"%CH4\" or m/s; none for a plain number")
    return false
  }

  /// The first of the places that stands in this point's own file. A device's settings that don't
  /// fit its profile's are the device's fault.
  func ownPlace(
    _ first: ConfigurationValue, _ others: ConfigurationValue?...
  ) -> ConfigurationValue {
    ([first] + others.compactMap(\.self)).first { $0.file == place.file } ?? first
  }

  private func fits(_ start: PointAddress, _ type: RegisterType) -> Bool {
    let last = Int(start.address) + type.addressCount - 1
    guard last > Int(UInt16.max) else { return true }
    (address.place ?? place).refuse(
      "its \(type.addressCount) registers end at address \(last)",
      "the last address on the wire is \(UInt16.max)")
    return false
  }
}

extension DecimalNumber {
  /// The same number in the driver's words.
  init(_ number: ExactDecimal) {
    self.init(mantissa: number.mantissa, decimals: number.decimals)
  }
}
