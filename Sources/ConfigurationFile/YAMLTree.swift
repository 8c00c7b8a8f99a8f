/// Builds the tree of one file from libyaml's events and refuses what a configuration has no use
/// for. libyaml itself refuses neither duplicate keys nor tags nor a second document.
struct YAMLTree: ~Copyable {
  /// Deeper than any real file; libyaml's time grows with the square of the depth.
  static let maximumDepth = 32
  /// Twenty times what the 256 points of a large gateway need, each written out in full (18
  /// events); bounds the tree's memory.
  static let maximumEvents = 100_000

  private let events: YAMLEvents
  private let report: (TextPosition, _ what: String, _ expected: String) -> Void
  private var eventCount = 0

  /// Ends the reading of a file whose problem has been reported.
  private struct Stop: Error {}

  private init(
    _ bytes: [UInt8], report: @escaping (TextPosition, _ what: String, _ expected: String) -> Void
  ) {
    events = YAMLEvents(bytes)
    self.report = report
  }

  /// The file's root, or `nil` if it has none that can be decoded. Problems go to `report`.
  static func parse(
    _ bytes: [UInt8], report: @escaping (TextPosition, _ what: String, _ expected: String) -> Void
  ) -> YAMLNode? {
    var tree = YAMLTree(bytes, report: report)
    return try? tree.document()
  }

  private mutating func document() throws(Stop) -> YAMLNode {
    _ = try next()
    let start = try next()
    guard case .documentStart(let hasTags) = start.kind else {
      report(.start, "the file is empty", "settings are expected")
      throw Stop()
    }
    if hasTags { report(start.position, "a %TAG directive", "tags are not allowed") }
    let root = try node(try next(), depth: 0)
    _ = try next()
    let end = try next()
    if case .documentStart = end.kind {
      report(end.position, "a second document begins", "one document a file is expected")
    }
    if root.isEmpty {
      report(.start, "the file is empty", "settings are expected")
      throw Stop()
    }
    return root
  }

  private mutating func next() throws(Stop) -> YAMLEvent {
    let event: YAMLEvent
    do throws(YAMLSyntaxError) {
      event = try events.next()
    } catch {
      report(error.position, error.what, "YAML is expected")
      throw Stop()
    }
    eventCount += 1
    guard eventCount <= Self.maximumEvents else {
      report(
        event.position, "more than \(Self.maximumEvents) keys and values",
        "a smaller file is expected")
      throw Stop()
    }
    return event
  }

  private mutating func node(_ event: YAMLEvent, depth: Int) throws(Stop) -> YAMLNode {
    if event.hasAnchor { report(event.position, "an anchor (&)", "anchors are not allowed") }
    if event.hasTag { report(event.position, "a tag (!)", "tags are not allowed") }
    guard depth < Self.maximumDepth else {
      report(
        event.position, "nested deeper than \(Self.maximumDepth) levels",
        "a flatter file is expected")
      throw Stop()
    }
    let content: YAMLNode.Content
    switch event.kind {
    case .scalar(let text, let style): content = .scalar(text: text, style: style)
    case .sequenceStart: content = .sequence(try elements(depth: depth + 1))
    case .mappingStart: content = .mapping(try members(depth: depth + 1))
    default:
      report(event.position, "an alias (*)", "the value itself is expected")
      content = .refused
    }
    return YAMLNode(position: event.position, content: content)
  }

  private mutating func elements(depth: Int) throws(Stop) -> [YAMLNode] {
    var elements: [YAMLNode] = []
    while true {
      let event = try next()
      if case .sequenceEnd = event.kind { return elements }
      elements.append(try node(event, depth: depth))
    }
  }

  private mutating func members(depth: Int) throws(Stop) -> [YAMLNode.Member] {
    var members: [YAMLNode.Member] = []
    var lines: [String: Int] = [:]
    while true {
      let event = try next()
      if case .mappingEnd = event.kind { return members }
      let key = try node(event, depth: depth)
      let value = try node(try next(), depth: depth)
      guard case .scalar(let text, _) = key.content else {
        if key.content != .refused {
          report(key.position, "a key that is not plain text", "a name is expected")
        }
        continue
      }
      if let line = lines[text] {
        report(key.position, "key \(quoted(text)) again", "it stands in line \(line) already")
        continue
      }
      lines[text] = key.position.line
      members.append(YAMLNode.Member(key: text, keyPosition: key.position, value: value))
    }
  }
}
