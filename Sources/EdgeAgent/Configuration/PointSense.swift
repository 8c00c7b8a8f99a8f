internal import ConfigurationFile
internal import Drivers
internal import Telemetry

// Settings that mean nothing together. What would be ignored is refused.

extension PointSettings {
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
    for case (let key, let place?) in settings {
      ownPlace(place, self.type.place, enumeration.place, address.place).refuse(
        "\(key) means nothing for \(kind)", "leave it out")
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

  /// A point's own rule that would never hold anything back is a mistake; a device's is for all its
  /// points.
  func fitsReport(_ type: RegisterType, _ interval: Int64) -> Bool {
    guard let rule = report.value?.rule, let rulePlace = report.place else { return true }
    let place = ownPlace(rulePlace, every.place, self.type.place, address.place)
    if rule.deadband != nil, !hasDeadband(type) {
      place.refuse(
        "deadband means nothing for what is no number", "leave it out: every change is reported")
      return false
    }
    guard rule.atLeastMilliseconds <= interval else { return true }
    place.refuse(
      "is reported at every reading: at-least is "
        + "\(durationText(milliseconds: rule.atLeastMilliseconds)), every "
        + durationText(milliseconds: interval),
      "at-least longer than every is expected")
    return false
  }

  /// When the point is reported. What is no number has no deadband.
  func rule(for type: RegisterType, _ deviceRule: ReportRule?) -> ReportRule? {
    let chosen = report.value.map(\.rule) ?? deviceRule
    return chosen.map { rule in
      ReportRule(
        deadband: hasDeadband(type) ? rule.deadband ?? 0 : nil,
        atLeastMilliseconds: rule.atLeastMilliseconds)
    }
  }

  private func hasDeadband(_ type: RegisterType) -> Bool {
    type.isNumber && enumeration.isAbsent
  }
}
