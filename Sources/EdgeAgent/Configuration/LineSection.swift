internal import ConfigurationFile
internal import Drivers
internal import Telemetry

/// A line with what cross checks need.
struct PlacedLine {
  var line: LineDefinition
  var place: ConfigurationValue
  /// Whether it does not leave it to the board file which voltage is the active one.
  var saysActive: Bool
}

/// The `lines` section: GPIO inputs. A refused line keeps its name, so that the areas that name it
/// are not reported too. Only the words count: a file that is right stays right whatever the board
/// has; see `LineFindings`.
struct LineSection {
  /// Each line that is read has a descriptor, and libmodbus' `select` needs those of buses below
  /// 1024.
  static let maximumLines = 256
  /// A contact bounces for milliseconds; what takes longer than seconds to settle is a process.
  static let debounces: ClosedRange<Int64> = 0...10_000
  /// Changes come by themselves: more samples between them tell nothing, and a line that is
  /// sampled less often than once a day looks dead.
  static let intervals: ClosedRange<Int64> = 10...86_400_000
  /// A total goes on from the newest sample in the store, and a start looks only into the newest
  /// segments (`Journal.mostSegmentsForNewest`), which may hold some hours.
  static let longestCountInterval: Int64 = 3_600_000

  /// The names of all lines, also of refused ones, in the file's order.
  let names: [String]
  /// Those that are right.
  let lines: [PlacedLine]

  /// Decodes the section; without one there are no lines.
  init(_ section: ConfigurationValue?, board: LineNames) {
    let entries = section?.mapping { $0.takeNamed() } ?? []
    names = entries.map(\.name)
    if entries.count > Self.maximumLines {
      section?.refuse("has \(entries.count) lines", "at most \(Self.maximumLines) are expected")
      lines = []
      return
    }
    var lines: [PlacedLine] = []
    for (name, value) in entries {
      guard let placed = value.mapping({ Self.read(name, $0, board) }) else { continue }
      if let other = lines.first(where: { $0.line.address.isSame(as: placed.line.address) }) {
        placed.place.refuse(
          "\(placed.line.address.words) is that of \(other.line.name)",
          "one line an input is expected")
      }
      lines.append(placed)
    }
    self.lines = lines
  }

  private static func read(
    _ name: String, _ line: MappingReader, _ board: LineNames
  ) -> PlacedLine? {
    let addressPlace = line.require("line", "a line of the board, { chip, offset } or { name }")
    let input = addressPlace.flatMap(board.input)
    let active = Setting(line.take("active")) { $0.choice(ActiveLevel.self, "a level") }
    let bias = Setting(line.take("bias")) { $0.choice(LineBias.self, "a bias") }
    let debounce = Setting(line.take("debounce")) { $0.duration(in: debounces) }
    let every = Setting(line.take("every")) { $0.duration(in: intervals) }
    let settings = LinePurposeSettings.read(line)
    let purpose = settings.purpose(of: line.value, debounce: debounce, every: every)
    let hasRefused =
      active.isRefused || bias.isRefused || debounce.isRefused || every.isRefused
    guard let addressPlace, let input, let purpose, !hasRefused else { return nil }
    return PlacedLine(
      line: LineDefinition(
        name: name, address: input.address, label: input.label,
        isActiveLow: active.value.map { $0 == .low } ?? input.isActiveLow,
        bias: bias.value ?? input.bias, debounceMilliseconds: debounce.value ?? 0,
        everyMilliseconds: every.value ?? 1000, purpose: purpose.purpose,
        points: purpose.points),
      place: addressPlace, saysActive: !active.isAbsent)
  }
}

/// What the board calls its lines.
struct LineNames {
  /// An input before its line's own settings.
  struct Input {
    var address: LineAddress
    /// The name on the case, if it was named so.
    var label: String?
    var isActiveLow: Bool
    var bias: LineBias
  }

  /// `nil` while the board is not known, because it was refused.
  private let board: BoardDescription?
  private let boardName: String

  /// The lines of a gateway's board.
  init(_ gateway: PlacedGateway?) {
    board = gateway?.board
    boardName = gateway?.value.board ?? BoardDescription.genericName
  }

  /// Reads a name of the board's, or where a line is.
  func input(_ place: ConfigurationValue) -> Input? {
    if case .mapping = place.node.content {
      return place.mapping(LineAddress.read).map {
        Input(address: $0, label: nil, isActiveLow: false, bias: .asIs)
      }
    }
    let expected = "a line of the board, { chip: LABEL, offset: 4 } or { name: LINE-NAME }"
    guard let name = place.text(expected), let board else { return nil }
    guard let line = board.lines[name] else {
      // One that the board file has and got wrong is reported there.
      if board.hasRefusedLines || board.refusedLines.contains(name) { return nil }
      place.refuse("the board \(boardName) has no line \(name)", hint(for: name, board))
      return nil
    }
    return Input(
      address: line.address, label: name, isActiveLow: line.isActiveLow, bias: line.bias)
  }

  private func hint(for name: String, _ board: BoardDescription) -> String {
    let known = board.lines.keys.sorted()
    guard !known.isEmpty else {
      return "it names none; { chip: LABEL, offset: 4 } or { name: LINE-NAME } is expected"
    }
    return nearest(to: name, among: known).map { "did you mean \($0)?" }
      ?? "known here: " + known.joined(separator: ", ")
  }
}
