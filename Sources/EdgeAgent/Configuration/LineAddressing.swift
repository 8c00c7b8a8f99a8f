internal import ConfigurationFile
internal import Drivers

/// Which voltage is the active one.
enum ActiveLevel: String, CaseIterable {
  case high, low
}

extension LineAddress {
  /// The kernel keeps 31 bytes of a chip's label and of a line's name (`GPIO_MAX_NAME_SIZE`).
  private static let longestName = 31
  /// The kernel numbers far fewer lines a chip.
  private static let offsets: ClosedRange<Int64> = 0...65_535

  /// Where devices are.
  private static let devices = "/dev/"

  /// Takes the keys of `{ chip: LABEL, offset: 4 }` or `{ name: LINE-NAME, chip: LABEL }`.
  static func read(_ line: MappingReader) -> LineAddress? {
    let namePlace = line.take("name")
    let chipPlace = line.take("chip")
    let offsetPlace = line.take("offset")
    let name = Setting(namePlace) { kernelText($0, "a line's name") }
    let chip = Setting(chipPlace, chipText)
    let offset = Setting(offsetPlace) { $0.integer(in: offsets).map { UInt32($0) } }
    if namePlace != nil {
      if let offsetPlace {
        offsetPlace.refuse("stands beside a name", "one of offset and name is expected")
        return nil
      }
      guard let name = name.value, !chip.isRefused else { return nil }
      return .name(name, chip: chip.value)
    }
    if chipPlace == nil, offsetPlace == nil {
      line.value.refuse(
        "says not which line", "{ chip: LABEL, offset: 4 } or { name: LINE-NAME } is expected")
      return nil
    }
    if chipPlace == nil { _ = line.require("chip", "the chip's label") }
    if offsetPlace == nil { _ = line.require("offset", "the line's number on the chip") }
    guard let chip = chip.value, let offset = offset.value else { return nil }
    return .offset(chip: chip, offset: offset)
  }

  private static func chipText(_ place: ConfigurationValue) -> String? {
    guard let text = place.text("a chip's label") else { return nil }
    guard text.hasPrefix("/") else {
      guard !text.contains("/") else {
        place.refuse(
          "is no label", "a chip's label, its name, or a path from \(devices) is expected")
        return nil
      }
      return kernelText(place, "a chip's label")
    }
    guard text.hasPrefix(devices) else {
      place.refuse("is no device", "a chip's label, or a path from \(devices), is expected")
      return nil
    }
    return text
  }

  private static func kernelText(_ place: ConfigurationValue, _ what: String) -> String? {
    guard let text = place.text(what) else { return nil }
    guard text.utf8.count <= longestName else {
      place.refuse(
        "is longer than \(longestName) bytes", "\(what) is expected, which is shorter")
      return nil
    }
    return text
  }

  /// Whether only the number that the kernel gave to the chip says which one it is.
  var isNumbered: Bool {
    let chip: String
    switch self {
    case .offset(let given, _): chip = given
    case .name(_, let given): chip = given ?? ""
    }
    let number = Self.withoutFolder(chip).dropFirst(Self.numberedChip.utf8.count)
    return Self.withoutFolder(chip).hasPrefix(Self.numberedChip) && !number.isEmpty
      && number.allSatisfy { $0.isASCII && $0.isNumber }
  }

  private static let numberedChip = "gpiochip"

  /// `/dev/gpiochip0` is `gpiochip0`.
  private static func withoutFolder(_ chip: String) -> String {
    chip.hasPrefix(devices) ? String(chip.dropFirst(devices.utf8.count)) : chip
  }

  /// Whether both are one line as far as words tell: a chip's label and its number may be one too.
  func isSame(as other: LineAddress) -> Bool {
    switch (self, other) {
    case (.offset(let chip, let offset), .offset(let otherChip, let otherOffset)):
      return offset == otherOffset && Self.withoutFolder(chip) == Self.withoutFolder(otherChip)
    case (.name(let name, let chip), .name(let otherName, let otherChip)):
      guard name == otherName else { return false }
      guard let chip, let otherChip else { return true }
      return Self.withoutFolder(chip) == Self.withoutFolder(otherChip)
    default: return false
    }
  }

  /// As a technician reads it: `line 4 of gpiochip0`, `the line named GPIO17`.
  var words: String {
    switch self {
    case .offset(let chip, let offset): "line \(offset) of \(chip)"
    case .name(let name, let chip): "the line named \(name)" + (chip.map { " of \($0)" } ?? "")
    }
  }
}
