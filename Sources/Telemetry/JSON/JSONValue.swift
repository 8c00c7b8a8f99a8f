/// A JSON value that keeps each number as it was printed: 0.30 and 0.3 are told apart, and no digit
/// of a large one is lost. That is what the account compares, so a decoder that goes through
/// `Double` would not do.
public enum JSONValue: Sendable, Hashable {
  case null
  case bool(Bool)
  /// The number's text, checked against the grammar.
  case number(String)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])
}

extension JSONValue {
  /// The kind of value, for error messages.
  public var kind: String {
    switch self {
    case .null: "null"
    case .bool: "a boolean"
    case .number: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }
}

/// Text that is not JSON, or not within this parser's limits.
public struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
  /// Where, in bytes from 0.
  public var offset: Int
  /// What was found or expected there.
  public var problem: String

  /// Makes an error.
  public init(offset: Int, problem: String) {
    self.offset = offset
    self.problem = problem
  }

  /// Place and problem in one line.
  public var description: String { "byte \(offset): \(problem)" }
}
