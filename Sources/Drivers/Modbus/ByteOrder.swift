/// Order of a value's bytes as they come over the wire, A the most significant. Four letters order
/// values of any length: words, and bytes within words, each forward or reversed; of a single
/// register, BADC and DCBA swap the two bytes. Eight letters are for 64-bit values, whose words
/// devices order in more ways.
public enum ByteOrder: String, Sendable, Hashable, CaseIterable {
  case abcd = "ABCD"
  case badc = "BADC"
  case cdab = "CDAB"
  case dcba = "DCBA"
  case abcdefgh = "ABCDEFGH"
  case badcfehg = "BADCFEHG"
  case cdabghef = "CDABGHEF"
  case dcbahgfe = "DCBAHGFE"
  case efghabcd = "EFGHABCD"
  case fehgbadc = "FEHGBADC"
  case ghefcdab = "GHEFCDAB"
  case hgfedcba = "HGFEDCBA"

  /// Whether the least significant byte of each register comes first.
  public var swapsBytes: Bool {
    switch self {
    case .abcd, .cdab, .abcdefgh, .cdabghef, .efghabcd, .ghefcdab: false
    case .badc, .dcba, .badcfehg, .dcbahgfe, .fehgbadc, .hgfedcba: true
    }
  }

  /// How many bytes a value has that it orders; `nil` for any.
  public var byteCount: Int? { rawValue.utf8.count == 4 ? nil : rawValue.utf8.count }

  /// Where words stand: the word of significance `s`, 0 the most significant, is the one of index
  /// `s ^ swappedWords` on the wire. Bit 0 swaps the words of each half, bit 1 the halves.
  var swappedWords: Int {
    switch self {
    case .abcd, .badc, .abcdefgh, .badcfehg: 0
    case .cdabghef, .dcbahgfe: 1
    case .efghabcd, .fehgbadc: 2
    case .cdab, .dcba, .ghefcdab, .hgfedcba: 3
    }
  }
}
