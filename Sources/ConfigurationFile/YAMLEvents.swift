internal import CYaml

/// What libyaml says of the next piece of a file.
struct YAMLEvent {
  enum Kind {
    case streamStart, streamEnd
    /// `hasTagDirectives`: whether `%TAG` stands before it.
    case documentStart(hasTagDirectives: Bool)
    case documentEnd
    case alias
    case scalar(text: String, style: YAMLNode.ScalarStyle)
    case sequenceStart, sequenceEnd, mappingStart, mappingEnd
  }

  var kind: Kind
  var position: TextPosition
  var hasAnchor = false
  var hasTag = false
}

/// Text that is no YAML.
struct YAMLSyntaxError: Error {
  var position: TextPosition
  var what: String
}

/// Owns a libyaml parser and the bytes it reads.
struct YAMLEvents: ~Copyable {
  private let parser: UnsafeMutablePointer<yaml_parser_t>
  private let input: UnsafeMutableBufferPointer<UInt8>
  private let bytes: [UInt8]

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    // libyaml keeps the pointer, so the bytes live in memory of their own until deinit.
    input = .allocate(capacity: bytes.count)
    _ = input.initialize(fromContentsOf: bytes)
    parser = .allocate(capacity: 1)
    parser.initialize(to: yaml_parser_t())
    // Fails only without memory; the first event then reports it.
    if yaml_parser_initialize(parser) == 1 {
      yaml_parser_set_input_string(parser, input.baseAddress, input.count)
    }
  }

  deinit {
    yaml_parser_delete(parser)
    parser.deallocate()
    input.deallocate()
  }

  /// The next event. After an error or the stream's end there are no more.
  func next() throws(YAMLSyntaxError) -> YAMLEvent {
    var event = yaml_event_t()
    guard yaml_parser_parse(parser, &event) == 1 else { throw syntaxError() }
    defer { yaml_event_delete(&event) }
    return translate(event)
  }

  private func translate(_ event: yaml_event_t) -> YAMLEvent {
    let place = position(event.start_mark)
    switch event.type {
    case YAML_DOCUMENT_START_EVENT:
      let tags = event.data.document_start.tag_directives
      let hasTags = tags.start != tags.end
      return YAMLEvent(kind: .documentStart(hasTagDirectives: hasTags), position: place)
    case YAML_DOCUMENT_END_EVENT: return YAMLEvent(kind: .documentEnd, position: place)
    case YAML_ALIAS_EVENT: return YAMLEvent(kind: .alias, position: place)
    case YAML_SCALAR_EVENT:
      let scalar = event.data.scalar
      let text = String(
        decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
      return YAMLEvent(
        kind: .scalar(text: text, style: style(scalar.style)), position: place,
        hasAnchor: scalar.anchor != nil, hasTag: scalar.tag != nil)
    case YAML_SEQUENCE_START_EVENT:
      let sequence = event.data.sequence_start
      return YAMLEvent(
        kind: .sequenceStart, position: place, hasAnchor: sequence.anchor != nil,
        hasTag: sequence.tag != nil)
    case YAML_SEQUENCE_END_EVENT: return YAMLEvent(kind: .sequenceEnd, position: place)
    case YAML_MAPPING_START_EVENT:
      let mapping = event.data.mapping_start
      return YAMLEvent(
        kind: .mappingStart, position: place, hasAnchor: mapping.anchor != nil,
        hasTag: mapping.tag != nil)
    case YAML_MAPPING_END_EVENT: return YAMLEvent(kind: .mappingEnd, position: place)
    case YAML_STREAM_START_EVENT: return YAMLEvent(kind: .streamStart, position: place)
    default: return YAMLEvent(kind: .streamEnd, position: place)
    }
  }

  private func style(_ style: yaml_scalar_style_t) -> YAMLNode.ScalarStyle {
    switch style {
    case YAML_SINGLE_QUOTED_SCALAR_STYLE, YAML_DOUBLE_QUOTED_SCALAR_STYLE: .quoted
    case YAML_LITERAL_SCALAR_STYLE, YAML_FOLDED_SCALAR_STYLE: .block
    default: .plain
    }
  }

  private func syntaxError() -> YAMLSyntaxError {
    let state = parser.pointee
    guard state.error != YAML_MEMORY_ERROR else {
      return YAMLSyntaxError(position: .start, what: "no memory to read the file")
    }
    let problem = state.problem.map { String(cString: $0) } ?? "unreadable"
    // For what the reader refuses the mark stays at the start; the byte's offset is right.
    guard state.error != YAML_READER_ERROR else {
      let place = TextCheck.position(ofByte: state.problem_offset, in: bytes)
      return YAMLSyntaxError(position: place, what: problem)
    }
    // Percent signs of units are what this meets in practice; libyaml's words don't help there.
    if problem == "found character that cannot start any token",
      let character = character(at: state.problem_mark)
    {
      return YAMLSyntaxError(
        position: position(state.problem_mark),
        what: "a value can't begin with \(character) unless it is quoted")
    }
    let context = state.context.map { " " + String(cString: $0) } ?? ""
    return YAMLSyntaxError(position: position(state.problem_mark), what: problem + context)
  }

  private func character(at mark: yaml_mark_t) -> Unicode.Scalar? {
    String(decoding: bytes, as: UTF8.self).unicodeScalars.dropFirst(mark.index).first
  }

  private func position(_ mark: yaml_mark_t) -> TextPosition {
    TextPosition(line: mark.line + 1, column: mark.column + 1)
  }
}
