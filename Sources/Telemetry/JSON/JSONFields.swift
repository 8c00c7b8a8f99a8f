/// Why JSON is not what was agreed upon: which member, and what it should be.
public struct PayloadError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The member's path, such as `samples[3].bad.ch4`; empty for the payload as a whole.
  public var path: String
  /// What is wrong and what is expected.
  public var problem: String

  /// Makes an error about the member at `path`.
  public init(path: String, problem: String) {
    self.path = path
    self.problem = problem
  }

  /// Path and problem in one line.
  public var description: String { path.isEmpty ? problem : "\(path): \(problem)" }
}

/// The members of a JSON object, read by name and type. Members that nobody asks for are skipped:
/// the contract says that adding a field is free.
public struct JSONFields: Sendable {
  /// Every member.
  public let members: [String: JSONValue]
  private let path: String

  /// Takes `value` apart, which stands at `path`.
  public init(_ value: JSONValue, at path: String = "") throws(PayloadError) {
    guard case .object(let members) = value else {
      throw PayloadError(path: path, problem: "an object is expected, not \(value.kind)")
    }
    self.members = members
    self.path = path
  }

  /// The path of the member `name`.
  public func path(of name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

  /// An error about the member `name`.
  public func error(_ name: String, _ problem: String) -> PayloadError {
    PayloadError(path: path(of: name), problem: problem)
  }

  private func required(_ name: String) throws(PayloadError) -> JSONValue {
    guard let value = members[name] else { throw error(name, "is missing") }
    return value
  }

  /// A string.
  public func string(_ name: String) throws(PayloadError) -> String {
    let value = try required(name)
    guard case .string(let text) = value else {
      throw error(name, "a string is expected, not \(value.kind)")
    }
    return text
  }

  /// A string, or `nil` where the member is absent or null.
  public func optionalString(_ name: String) throws(PayloadError) -> String? {
    switch members[name] {
    case nil, .null: nil
    default: try string(name)
    }
  }

  /// True or false.
  public func bool(_ name: String) throws(PayloadError) -> Bool {
    let value = try required(name)
    guard case .bool(let flag) = value else {
      throw error(name, "true or false is expected, not \(value.kind)")
    }
    return flag
  }

  /// True or false, or `nil` where the member is absent or null.
  public func optionalBool(_ name: String) throws(PayloadError) -> Bool? {
    switch members[name] {
    case nil, .null: nil
    default: try bool(name)
    }
  }

  /// A whole number within the range of `type`.
  public func integer<Number: FixedWidthInteger>(
    _ name: String, _ type: Number.Type = Number.self
  ) throws(PayloadError) -> Number {
    let value = try required(name)
    guard case .number(let text) = value, let number = Number(text) else {
      throw error(name, "an integer of \(Number.min)…\(Number.max) is expected, not \(value.kind)")
    }
    return number
  }

  /// A whole number, or `nil` where the member is absent or null.
  public func optionalInteger<Number: FixedWidthInteger>(
    _ name: String, _ type: Number.Type = Number.self
  ) throws(PayloadError) -> Number? {
    switch members[name] {
    case nil, .null: nil
    default: try integer(name, type)
    }
  }

  /// A time or offset in milliseconds. The bound is what JSON readers keep exactly, 285,000 years:
  /// sums of such times never overflow.
  public func milliseconds(_ name: String) throws(PayloadError) -> Int64 {
    let number: Int64 = try integer(name)
    guard number.magnitude <= Value.largestExactInteger else {
      throw error(name, "milliseconds within ±2^53 are expected, not \(number)")
    }
    return number
  }

  /// A number of exactly `digits` hexadecimal digits in a string.
  public func hexadecimal<Number: FixedWidthInteger & UnsignedInteger>(
    _ name: String, digits: Int, _ type: Number.Type = Number.self
  ) throws(PayloadError) -> Number {
    let text = try string(name)
    guard text.utf8.count == digits, text.allSatisfy(\.isHexDigit),
      let number = Number(text, radix: 16)
    else { throw error(name, "\(digits) hexadecimal digits are expected, not \"\(text)\"") }
    return number
  }

  /// One of the words of a closed list.
  public func word<Word: RawRepresentable<String>>(
    _ name: String, _ type: Word.Type = Word.self
  ) throws(PayloadError) -> Word {
    let text = try string(name)
    guard let word = Word(rawValue: text) else {
      throw error(name, "\"\(text)\" is none of the contract's words")
    }
    return word
  }

  /// The members of an object.
  public func fields(_ name: String) throws(PayloadError) -> JSONFields {
    try JSONFields(required(name), at: path(of: name))
  }

  /// The members of an object that may be absent; then none.
  public func optionalFields(_ name: String) throws(PayloadError) -> JSONFields {
    try JSONFields(members[name] ?? .object([:]), at: path(of: name))
  }

  /// The elements of an array.
  public func array(_ name: String) throws(PayloadError) -> [JSONValue] {
    let value = try required(name)
    guard case .array(let elements) = value else {
      throw error(name, "an array is expected, not \(value.kind)")
    }
    return elements
  }

  /// Each element of an array of objects.
  public func objects(_ name: String) throws(PayloadError) -> [JSONFields] {
    var result: [JSONFields] = []
    for (index, element) in try array(name).enumerated() {
      result.append(try JSONFields(element, at: "\(path(of: name))[\(index)]"))
    }
    return result
  }
}
