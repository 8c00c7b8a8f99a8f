internal import ConfigurationFile

/// A setting that may be absent. What was refused is kept apart from what is absent: its problem is
/// reported already, and nothing that depends on it may be reported as missing.
enum Setting<Value> {
  case absent
  case refused
  case given(Value, ConfigurationValue)

  /// Reads a key's value.
  init(_ place: ConfigurationValue?, _ read: (ConfigurationValue) -> Value?) {
    guard let place else {
      self = .absent
      return
    }
    self = read(place).map { .given($0, place) } ?? .refused
  }

  /// The value, if one was given and is right.
  var value: Value? {
    if case .given(let value, _) = self { return value }
    return nil
  }

  /// Where it stands, if it was given and is right.
  var place: ConfigurationValue? {
    if case .given(_, let place) = self { return place }
    return nil
  }

  /// Whether nothing was written.
  var isAbsent: Bool {
    if case .absent = self { return true }
    return false
  }

  /// Whether something was written and is wrong.
  var isRefused: Bool {
    if case .refused = self { return true }
    return false
  }

  /// This, or where it is absent the other.
  func or(_ other: Setting) -> Setting { isAbsent ? other : self }
}
