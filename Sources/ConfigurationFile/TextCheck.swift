/// A problem of the text as such, found before YAML is looked at.
struct TextProblem {
  var position: TextPosition
  var what: String
  var expected: String
}

/// Checks what libyaml would not, or would report without a place: UTF-8, control characters, tabs
/// and full-width colons.
enum TextCheck {
  /// All problems of `bytes`, one a line at most; only the first if they are no UTF-8.
  static func problems(in bytes: [UInt8]) -> [TextProblem] {
    if let offset = firstInvalidByte(bytes) {
      let byte = String(bytes[offset], radix: 16, uppercase: true)
      return [
        TextProblem(
          position: position(ofByte: offset, in: bytes), what: "byte 0x\(byte) is not UTF-8",
          expected: "the file has to be saved as UTF-8")
      ]
    }
    return bytes.split(separator: newline, omittingEmptySubsequences: false)
      .lazy.compactMap { firstForbidden(in: $0) }
      .prefix(ProblemLog.capacity)
      .map { problem(ofByte: $0, in: bytes) }
  }

  /// Where the byte at `offset` stands; a byte order mark takes no column.
  static func position(ofByte offset: Int, in bytes: [UInt8]) -> TextPosition {
    let hasMark = bytes.starts(with: byteOrderMark)
    let before = bytes[(hasMark ? min(offset, byteOrderMark.count) : 0)..<min(offset, bytes.count)]
    let lineStart = before.lastIndex(of: newline).map { $0 + 1 } ?? before.startIndex
    // Continuation bytes belong to the character before them.
    let column = before[lineStart...].count { $0 & 0xC0 != 0x80 } + 1
    return TextPosition(line: before.count { $0 == newline } + 1, column: column)
  }

  private static let newline = UInt8(ascii: "\n")
  private static let tab = UInt8(ascii: "\t")
  private static let fullWidthColon: [UInt8] = [0xEF, 0xBC, 0x9A]
  private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

  private static func firstInvalidByte(_ bytes: [UInt8]) -> Int? {
    do throws(UTF8.ValidationError) {
      _ = try UTF8Span(validating: bytes.span)
      return nil
    } catch {
      return error.byteOffsets.lowerBound
    }
  }

  /// The first byte of a line that may not stand there. Tabs are harmless in comments only.
  private static func firstForbidden(in line: ArraySlice<UInt8>) -> Int? {
    var isComment = false
    var previous = UInt8(ascii: " ")
    for index in line.indices {
      let byte = line[index]
      let isLineEnd = byte == UInt8(ascii: "\r") && index == line.endIndex - 1
      if byte == tab, !isComment { return index }
      if byte < 0x20 && byte != tab && !isLineEnd || byte == 0x7F { return index }
      if !isComment, isFullWidthColon(at: index, in: line), endsKey(line[..<index]) {
        return index
      }
      if byte == UInt8(ascii: "#"), previous == UInt8(ascii: " ") { isComment = true }
      previous = byte
    }
    return nil
  }

  private static func isFullWidthColon(at index: Int, in line: ArraySlice<UInt8>) -> Bool {
    line[index] == fullWidthColon[0] && line[index...].starts(with: fullWidthColon)
  }

  /// Whether a plain key stands at the end of `text`: alone on its line, but for the mark of a list
  /// element, or behind a brace or comma of a mapping in braces. Elsewhere a full-width colon is
  /// part of a text, as in `location: 总回风：东`.
  private static func endsKey(_ text: ArraySlice<UInt8>) -> Bool {
    let space = UInt8(ascii: " ")
    let key = text.reversed().prefix { byte in
      byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
        || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
    guard !key.isEmpty else { return false }
    let before = text.dropLast(key.count)
    if before.allSatisfy({ $0 == space || $0 == UInt8(ascii: "-") }) { return true }
    let last = before.last { $0 != space }
    return last == UInt8(ascii: "{")
      || last == UInt8(ascii: ",") && before.contains(UInt8(ascii: "{"))
  }

  private static func problem(ofByte offset: Int, in bytes: [UInt8]) -> TextProblem {
    let place = position(ofByte: offset, in: bytes)
    if bytes[offset] == tab {
      return TextProblem(position: place, what: "a tab", expected: "spaces are expected")
    }
    if bytes[offset] == fullWidthColon[0] {
      return TextProblem(
        position: place, what: "a full-width colon (：) behind a key",
        expected: "a plain colon and a space are expected")
    }
    let code = String(bytes[offset], radix: 16, uppercase: true)
    return TextProblem(
      position: place, what: "control character 0x\(code)", expected: "plain text is expected")
  }
}
