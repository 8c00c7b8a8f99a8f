/// Rows of cells under headings, aligned for a terminal. A column is as wide as its widest cell.
struct TextTable {
  /// Between two columns.
  private static let gap = "  "

  private let headings: [String]
  private var rows: [[String]] = []

  init(_ headings: String...) { self.headings = headings }

  /// As many cells as there are headings.
  mutating func add(_ cells: String...) { rows.append(cells.map(terminalSafe)) }

  /// Nothing for a table without rows.
  var lines: [String] {
    guard !rows.isEmpty else { return [] }
    let all = [headings] + rows
    let widths = headings.indices.map { column in
      all.map { terminalWidth($0[column]) }.max() ?? 0
    }
    return all.map { cells in
      let line = zip(cells, widths).map { cell, width in
        cell + String(repeating: " ", count: width - terminalWidth(cell))
      }
      let text = line.joined(separator: Self.gap)
      return String(text[...(text.lastIndex { $0 != " " } ?? text.startIndex)])
    }
  }
}

/// `text` without what could move a terminal's cursor or change its state.
func terminalSafe(_ text: String) -> String {
  var safe = ""
  for scalar in text.unicodeScalars {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned:
      safe += "?"
    default: safe.unicodeScalars.append(scalar)
    }
  }
  return safe
}

/// Columns that a terminal gives `text`: two for a Chinese character, none for a combining mark.
func terminalWidth(_ text: String) -> Int {
  text.unicodeScalars.reduce(0) { width, scalar in
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format: width
    default: width + (isWide(scalar) ? 2 : 1)
    }
  }
}

/// Wide or fullwidth by Unicode's East Asian Width (UAX #11), in whole blocks.
private func isWide(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar.value {
  case 0x1100...0x115F,  // Hangul syllables' first letters
    0x2E80...0x303E, 0x3041...0x33FF,  // radicals, punctuation, kana, squared words
    0x3400...0x4DBF, 0x4E00...0x9FFF,  // CJK ideographs
    0xA000...0xA4CF, 0xAC00...0xD7A3,  // Yi, Hangul
    0xF900...0xFAFF, 0xFE30...0xFE6F,  // compatibility forms
    0xFF00...0xFF60, 0xFFE0...0xFFE6,  // fullwidth forms
    0x1F300...0x1F64F, 0x1F900...0x1F9FF,  // pictographs
    0x20000...0x3FFFD:  // further ideographs
    true
  default: false
  }
}
