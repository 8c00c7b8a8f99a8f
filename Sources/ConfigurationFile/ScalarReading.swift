/// What a name looks like; names become topics' and files' parts and command-line arguments.
let nameRule = "a name is made of a-z, 0-9 and -, begins with a letter or digit, at most 64 long"
/// What other readers of YAML take for no value.
private let nullWords: Set<String> = ["~", "null", "Null", "NULL"]
/// As long as a DNS label may be, and one more.
let nameLimit = 64

/// Whether `text` may name a bus, a device, a point or a file: a-z, 0-9 and -, not - first, at most
/// 64 long.
public func isName(_ text: some StringProtocol) -> Bool {
  !text.isEmpty && text.utf8.count <= nameLimit && text.utf8.first != UInt8(ascii: "-")
    && text.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
        UInt8(ascii: "-"):
        true
      default: false
      }
    }
}

/// Why `text` is no name, `nil` if it is one.
func nameFault(_ text: String) -> String? {
  isName(text) ? nil : "\(quoted(text)) is no name"
}

extension ConfigurationValue {
  /// Long enough for any name, path or address, short enough for a payload.
  public static let maximumTextBytes = 256

  /// The scalar's own text; reports mappings, lists and missing values.
  func scalar(_ expected: String) -> String? {
    switch node.content {
    case .refused: return nil
    case .scalar where node.isEmpty: refuse("has no value", "\(expected) is expected")
    case .scalar(let text, _): return text
    case .mapping: refuse("has keys below it", "\(expected) is expected")
    case .sequence: refuse("is a list", "\(expected) is expected")
    }
    return nil
  }

  /// Text of 1…256 bytes without control characters, as it was written: `0520` stays `0520`.
  /// - Parameter expected: What it names, for messages, such as `a mine code`.
  public func text(_ expected: String = "a text") -> String? {
    guard let text = scalar(expected) else { return nil }
    guard !text.isEmpty else {
      refuse("is empty", "\(expected) is expected")
      return nil
    }
    if case .scalar(_, .plain) = node.content, nullWords.contains(text) {
      refuse("\(text) is no text in YAML", "\(expected) is expected, in quotes if that is it")
      return nil
    }
    guard text.utf8.count <= Self.maximumTextBytes else {
      refuse("is longer than \(Self.maximumTextBytes) bytes", "\(expected) is expected")
      return nil
    }
    guard text.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control }) else {
      refuse("\(quoted(text)) has control characters", "\(expected) is expected")
      return nil
    }
    return text
  }

  /// A technician's name for a thing, as buses, devices and points have.
  public func name() -> String? {
    guard let text = scalar("a name") else { return nil }
    guard let fault = nameFault(text) else { return text }
    refuse(fault, nameRule)
    return nil
  }

  /// `true` or `false`. `yes`, `no`, `on` and `off` are refused: YAML's versions disagree on them.
  public func boolean() -> Bool? {
    guard let text = scalar("true or false") else { return nil }
    switch text {
    case "true": return true
    case "false": return false
    default:
      refuse("\(quoted(text)) is neither true nor false", "true or false is expected")
      return nil
    }
  }

  /// A decimal integer within limits that include their ends.
  public func integer(in range: ClosedRange<Int64>) -> Int64? {
    let expected = "an integer in \(range.lowerBound)…\(range.upperBound)"
    guard let text = scalar(expected) else { return nil }
    guard let number = plainInteger(text) else {
      // YAML 1.1 takes 010 for 8, YAML 1.2 for 10, a technician for either.
      let what = hasLeadingZero(text) ? "has a leading zero" : "is not an integer"
      refuse("\(quoted(text)) \(what)", "\(expected) is expected")
      return nil
    }
    guard range.contains(number) else {
      refuse("\(text) is outside \(range.lowerBound)…\(range.upperBound)")
      return nil
    }
    return number
  }

  /// The members of a mapping whose keys are integers, such as `{0: stopped, 1: running}`; each
  /// value a text.
  public func numberedTexts(
    _ counts: ClosedRange<Int>, keys: ClosedRange<Int64>, _ expected: String
  ) -> [Int64: String]? {
    guard case .mapping = node.content else {
      if node.content != .refused { refuse("is no list of numbers", "\(expected) is expected") }
      return nil
    }
    return mapping { mapping in
      let members = mapping.takePrinted()
      guard counts.contains(members.count) else {
        refuse(
          "has \(members.count) entries",
          "\(counts.lowerBound) to \(counts.upperBound) are expected")
        return nil
      }
      var texts: [Int64: String] = [:]
      for (key, value) in members {
        guard let number = plainInteger(key), keys.contains(number) else {
          value.refuse(
            "\(quoted(key)) is no number in \(keys.lowerBound)…\(keys.upperBound)",
            "\(expected) is expected")
          continue
        }
        // 0 and -0 are two keys and one number.
        if texts[number] != nil { value.refuse("says \(number) again", "each once is expected") }
        texts[number] = value.text("what \(number) means")
      }
      return texts.count == members.count ? texts : nil
    }
  }

  /// One of a closed list of words.
  public func choice(_ words: [String], _ kind: String = "a value") -> String? {
    let list = words.joined(separator: ", ")
    guard let text = scalar("one of \(list)") else { return nil }
    if words.contains(text) { return text }
    refuse("\(quoted(text)) is not \(kind)", hint(for: text, words) + "one of \(list) is expected")
    return nil
  }

  private func hint(for text: String, _ words: [String]) -> String {
    nearest(to: text, among: words).map { "did you mean \($0)? " } ?? ""
  }

  /// One case of an enumeration, by its raw value.
  public func choice<Choice: RawRepresentable & CaseIterable>(
    _ type: Choice.Type, _ kind: String = "a value"
  ) -> Choice? where Choice.RawValue == String {
    choice(type.allCases.map(\.rawValue), kind).flatMap { Choice(rawValue: $0) }
  }
}

/// Digits with an optional minus sign; no plus, no leading zero, no other base.
func plainInteger(_ text: String) -> Int64? {
  let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
  guard isDigits(digits), !hasLeadingZero(text) else { return nil }
  return Int64(text)
}

private func hasLeadingZero(_ text: String) -> Bool {
  let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
  return isDigits(digits) && digits.utf8.count > 1 && digits.hasPrefix("0")
}

func isHexadecimal(_ text: some StringProtocol) -> Bool {
  !text.isEmpty && text.allSatisfy { $0.isASCII && $0.isHexDigit }
}

func isDigits(_ text: some StringProtocol) -> Bool {
  !text.isEmpty
    && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
}
