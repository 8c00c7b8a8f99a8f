internal import Telemetry

extension RegisterDecoder {
  /// What registers spell: two characters each, up to the first that is 0, without the spaces
  /// around it. Bytes that are no UTF-8, of which ASCII is a part, and control characters are no
  /// text: a wrong address, or a wrong order of bytes.
  static func text(of words: ArraySlice<UInt16>, swapsBytes: Bool) -> Outcome {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(2 * words.count)
    for word in words {
      let word = swapsBytes ? word.byteSwapped : word
      bytes.append(UInt8(word >> 8))
      bytes.append(UInt8(truncatingIfNeeded: word))
    }
    let space = UInt8(ascii: " ")
    let spelled = bytes.prefix { $0 != 0 }
    guard let first = spelled.firstIndex(where: { $0 != space }),
      let last = spelled.lastIndex(where: { $0 != space })
    else { return .good(.text("")) }
    guard let text = String(validating: spelled[first...last], as: UTF8.self),
      !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
    else { return .bad(.notANumber) }
    return .good(.text(text))
  }
}
