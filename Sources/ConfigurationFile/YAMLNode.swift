/// A place in a text file. Columns count characters (Unicode scalars), as editors do.
public struct TextPosition: Sendable, Hashable, Comparable {
  /// The line, from 1.
  public var line: Int
  /// The column, from 1.
  public var column: Int

  /// Makes a position; both numbers count from 1.
  public init(line: Int, column: Int) {
    self.line = line
    self.column = column
  }

  /// The file's first character, where problems of the whole file are reported.
  public static let start = TextPosition(line: 1, column: 1)

  /// In reading order.
  public static func < (left: TextPosition, right: TextPosition) -> Bool {
    (left.line, left.column) < (right.line, right.column)
  }
}

/// A node of a configuration file, with the place where it begins.
public struct YAMLNode: Sendable, Hashable {
  /// How a scalar was written. Decoding goes by the schema, so only emptiness depends on it: a
  /// plain empty scalar is a missing value, `""` is an empty text.
  public enum ScalarStyle: Sendable, Hashable {
    case plain
    case quoted
    case block
  }

  /// A key of a mapping with its value.
  public struct Member: Sendable, Hashable {
    /// The key's own text.
    public var key: String
    /// Where the key stands.
    public var keyPosition: TextPosition
    /// What stands behind the colon.
    public var value: YAMLNode
  }

  /// What the node holds.
  public enum Content: Sendable, Hashable {
    /// The text as written, without quotes; nothing is taken for a number or a truth value.
    case scalar(text: String, style: ScalarStyle)
    case sequence([YAMLNode])
    /// The members in the file's order; no key twice.
    case mapping([Member])
    /// Something refused and reported already, such as an alias; readers pass over it.
    case refused
  }

  /// Where it begins.
  public var position: TextPosition
  /// What it holds.
  public var content: Content

  /// Whether nothing was written at all, as in `devices:` with nothing below.
  public var isEmpty: Bool {
    if case .scalar(let text, .plain) = content { return text.isEmpty }
    return false
  }
}
