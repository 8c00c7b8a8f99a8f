/// A value of a configuration file in its place: where it stands, which keys lead there, and where
/// its problems go. A reader that returns `nil` has reported why; a caller may go on with a
/// default, because the load fails in the end.
public struct ConfigurationValue {
  /// What was written.
  public let node: YAMLNode
  let keyPosition: TextPosition?
  let path: [String]
  /// The file it stands in, as it was named to the program.
  public let file: String
  /// Where problems go; other files that the value names report there too.
  public let log: ProblemLog

  /// Where problems of the value are reported: its first character, or the key's if the value is
  /// a mapping, a list or nothing.
  public var position: TextPosition {
    if case .scalar = node.content, !node.isEmpty { return node.position }
    return keyPosition ?? node.position
  }

  /// The keys that lead to it, such as `devices.return-air.unit`.
  public var pathText: String { path.joined(separator: ".") }

  /// Reports what is wrong with the value and what is expected instead.
  public func refuse(
    _ what: @autoclosure () -> String, _ expected: @autoclosure () -> String? = nil
  ) {
    log.add(
      ConfigurationProblem(
        file: file, position: position, path: pathText, what: what(), expected: expected()))
  }

  /// Refuses a setting that the format names and this version has not built.
  public func refuseAsUnsupported(_ what: String? = nil, _ expected: String? = nil) {
    refuse((what ?? "this setting") + " is not supported by this version", expected)
  }

  /// Reads a mapping. Every key that `body` does not ask for is reported as unknown, so `body`
  /// asks for all keys before it returns. Nothing written at all reads as an empty mapping:
  /// what is required is then reported as missing.
  public func mapping<Result>(_ body: (MappingReader) -> Result?) -> Result? {
    let members: [YAMLNode.Member]
    switch node.content {
    case .mapping(let found): members = found
    case .scalar where node.isEmpty: members = []
    case .refused: return nil
    case .scalar(let text, _):
      refuse("\(quoted(text)) is a plain value", "keys with values are expected")
      return nil
    case .sequence:
      refuse("is a list", "keys with values are expected")
      return nil
    }
    let reader = MappingReader(self, members)
    let result = body(reader)
    reader.reportUnknownKeys()
    return result
  }

  /// The elements of a list; their paths end in `[1]`, `[2]`, ….
  /// - Parameter counts: How many there may be.
  public func list(_ counts: ClosedRange<Int>, of what: String) -> [ConfigurationValue]? {
    guard case .sequence(let nodes) = node.content else {
      if node.content != .refused { refuse("is not a list", "\(what) are expected") }
      return nil
    }
    guard counts.contains(nodes.count) else {
      refuse("has \(nodes.count) elements", "\(what) are expected")
      return nil
    }
    return elements(nodes)
  }

  /// The elements of a list, or the value itself where only one is written.
  public func oneOrMore(upTo limit: Int, of what: String) -> [ConfigurationValue]? {
    guard case .sequence = node.content else { return [self] }
    return list(1...limit, of: "1 to \(limit) \(what)")
  }

  private func elements(_ nodes: [YAMLNode]) -> [ConfigurationValue] {
    nodes.enumerated().map { index, node in
      let last = (path.last ?? "") + "[\(index + 1)]"
      return ConfigurationValue(
        node: node, keyPosition: node.position, path: path.dropLast() + [last], file: file,
        log: log)
    }
  }
}
