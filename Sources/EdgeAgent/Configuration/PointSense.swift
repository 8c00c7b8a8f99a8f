internal import ConfigurationFile
internal import Drivers
internal import Telemetry

// Settings that mean nothing together. What would be ignored is refused.

extension PointSettings {
  /// What to do where a profile's keys are in the way.
  static let anotherPoint =
    "a point of another name is expected: this one has the profile's keys"

  /// Refuses what means nothing for a value of this type.
  func refuseMeaningless(for type: RegisterType) -> Bool {
    let ofNumbers = [
      ("scale", scale.place), ("offset", offset.place), ("unit", unit.place),
      ("range", range.place), ("decimals", decimals.place),
    ]
    let ofRegisters = [
      ("bits", bits.place), ("enum", enumeration.place), ("error-value", errorValues.place),
      ("unsupported-value", unsupportedValues.place),
    ]
    switch type {
    case .bool:
      return refuse(ofNumbers + ofRegisters + [("order", order.place)], for: "a truth value")
    case .bit: return refuse(ofNumbers + ofRegisters, for: "a truth value")
    case .text: return refuse(ofNumbers + ofRegisters, for: "a string")
    case .float16, .float32, .float64:
      return refuse([("bits", bits.place), ("enum", enumeration.place)], for: "a float")
    default: break
    }
    let ofStates = enumeration.isAbsent ? [] : ofNumbers
    let ofFields = type.isUnsigned ? [] : [("bits", bits.place)]
    let isPlain = scale.isAbsent && offset.isAbsent && enumeration.isAbsent
    let isUsed = refuse(ofStates, for: "one of several states")
    let isField = refuse(ofFields, for: "a number that is not uint16, uint32 or uint64")
    let isScaled = refuse(
      isPlain ? [("decimals", decimals.place)] : [], for: "an integer without scale or offset")
    return isUsed && isField && isScaled
  }

  private func refuse(
    _ settings: [(key: String, place: ConfigurationValue?)], for kind: String
  ) -> Bool {
    for case (let key, let settingPlace?) in settings {
      let isOwn = settingPlace.file == place.file
      ownPlace(settingPlace, self.type.place, enumeration.place, address.place).refuse(
        "\(key)\(isOwn ? "" : ", which the profile gives it,") means nothing for \(kind)",
        isOwn ? "leave it out" : Self.anotherPoint)
    }
    return settings.allSatisfy { $0.place == nil }
  }

  /// An order of eight bytes is for values of eight; of a text only the bytes of a register can be
  /// swapped.
  func fitsOrder(_ type: RegisterType) -> Bool {
    guard let order = order.value, let orderPlace = self.order.place else { return true }
    if case .text = type, order != .abcd, order != .badc {
      ownPlace(orderPlace, self.type.place).refuse(
        "a string has no order \(order.rawValue)", "ABCD or BADC is expected")
      return false
    }
    let bytes = 2 * type.addressCount
    guard let ordered = order.byteCount, ordered != bytes else { return true }
    ownPlace(orderPlace, self.type.place).refuse(
      "orders \(ordered) bytes, and \(Self.name(of: type)) has \(bytes)",
      "ABCD, BADC, CDAB or DCBA is expected")
    return false
  }

  func fitsBits(_ type: RegisterType) -> Bool {
    guard type.isUnsigned, let field = bits.value, let fieldPlace = bits.place else { return true }
    let last = 16 * type.addressCount - 1
    guard field.upperBound > last else { return true }
    ownPlace(fieldPlace, self.type.place).refuse(
      "bit \(field.upperBound) is none of \(Self.name(of: type))", "bits 0…\(last) are expected")
    return false
  }

  /// A state that the registers can't hold is a slip, or meant for another type.
  func fitsStates(_ type: RegisterType) -> Bool {
    guard let states = enumeration.value, let statesPlace = enumeration.place,
      !type.isFloat, !bits.isRefused, let limits = type.limits(ofBits: bits.value),
      let stray = states.keys.sorted().first(where: { !limits.contains(Double($0)) })
    else { return true }
    ownPlace(statesPlace, bits.place, self.type.place).refuse(
      "\(stray) is none of its numbers", "\(words(of: limits, type)) are expected")
    return false
  }

  /// A range that no reading can lie in makes every reading bad.
  func fitsRange(_ type: RegisterType) -> Bool {
    guard let wanted = range.value, let rangePlace = range.place,
      let limits = type.limits(ofBits: bits.value), enumeration.isAbsent,
      !bits.isRefused, !scale.isRefused, !offset.isRefused
    else { return true }
    let factor = scale.value?.approximate ?? 1
    let shift = offset.value?.approximate ?? 0
    let ends = [(wanted.lower - shift) / factor, (wanted.upper - shift) / factor].sorted()
    // Rounded to the lenient side: the limits are exact in decimal, their doubles are not.
    let slack = max(1, ends[0].magnitude, ends[1].magnitude) * 1e-9
    var (lowest, highest) = (max(ends[0] - slack, limits.lowerBound), ends[1] + slack)
    highest = min(highest, limits.upperBound)
    if !type.isFloat { (lowest, highest) = (lowest.rounded(.up), highest.rounded(.down)) }
    guard lowest > highest else { return true }
    let isPlain = factor == 1 && shift == 0
    ownPlace(rangePlace, bits.place, self.type.place, scale.place, offset.place).refuse(
      "no reading can lie in it: \(words(of: limits, type)) are read"
        + (isPlain ? "" : ", before scale and offset"), "a range of the readings is expected")
    return false
  }

  private func words(of limits: ClosedRange<Double>, _ type: RegisterType) -> String {
    let kind = bits.value.map { "\($0.count) bits of " } ?? ""
    let numbers = type.isFloat ? "numbers" : "whole numbers"
    return "\(numbers) of \(kind)\(Self.name(of: type)) (\(text(of: limits.lowerBound))…"
      + "\(text(of: limits.upperBound)))"
  }

  /// Without the fraction that no limit has.
  private func text(of limit: Double) -> String {
    Int64(exactly: limit).map(String.init) ?? limit.description
  }

  /// A point's own rule that would never hold anything back is a mistake; a device's is for all its
  /// points.
  func fitsReport(_ type: RegisterType, _ interval: Int64) -> Bool {
    guard case .onChange(let deadband, let atLeast)? = report.value, let rulePlace = report.place
    else { return true }
    let place = ownPlace(rulePlace, every.place, self.type.place, address.place)
    if deadband != nil, !hasDeadband(type) {
      place.refuse(
        "deadband means nothing for what is no number", "leave it out: every change is reported")
      return false
    }
    guard let atLeast, atLeast < ReportChoice.shortest(every: interval) else { return true }
    place.refuse(
      "is reported at every reading: at-least is "
        + "\(durationText(milliseconds: atLeast)), every "
        + durationText(milliseconds: interval),
      "at-least of twice every or more is expected")
    return false
  }

  /// When the point is reported. What is no number has no deadband.
  func rule(
    for type: RegisterType, _ interval: Int64, _ deviceChoice: ReportChoice?
  ) -> ReportRule? {
    (report.value ?? deviceChoice)?.rule(every: interval).map { rule in
      ReportRule(
        deadband: hasDeadband(type) ? rule.deadband ?? 0 : nil,
        atLeastMilliseconds: rule.atLeastMilliseconds)
    }
  }

  private func hasDeadband(_ type: RegisterType) -> Bool {
    type.isNumber && enumeration.isAbsent
  }
}
