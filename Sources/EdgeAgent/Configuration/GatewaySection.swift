internal import ConfigurationFile
internal import LinuxSystem

private let socketPathLimit = UnixSocketAddress.mostBytes
/// A year: longer than stores last.
let longestAge: Int64 = 365 * 24 * 3_600_000
/// Long enough for any code, short enough for three of them in a topic.
private let topicLevelLimit = 64

/// A gateway whose board file may have been refused.
struct PlacedGateway {
  var value: GatewayConfiguration
  var board: BoardDescription?
}

extension SectionDecoder {
  /// The `gateway` section with its board file.
  func gateway(_ section: MappingReader) -> PlacedGateway? {
    let id = section.require("id", "the gateway's name in the monitoring network")?.topicLevel()
    let mine = section.require("mine", "the mine's code")?.topicLevel()
    let region = section.require("region", "the code of province, city and county")?.topicLevel()
    let name = section.take("name")?.text("the mine's name")
    let mode = section.take("mode").map { $0.choice(MineMode.self, "a mode") } ?? .producing
    let boardPlace = section.take("board")
    let boardName = boardPlace.map { $0.name() } ?? BoardDescription.genericName
    let board = boardName.flatMap {
      boards.board($0, namedAt: boardPlace ?? section.value, log: log)
    }
    guard let id, let mine, let region, let mode, let boardName else { return nil }
    let gateway = GatewayConfiguration(
      id: id, mine: mine, region: region, name: name, mode: mode, board: boardName)
    return PlacedGateway(value: gateway, board: board)
  }

  /// The `storage` section; each size has room for four segments of 1 MiB: one written, one read,
  /// and two to evict in turn.
  func storage(_ section: ConfigurationValue?) -> StorageConfiguration? {
    let sizes: ClosedRange<Int64> = 4 << 20...1 << 40
    var storage = StorageConfiguration(
      directory: "/var/lib/edge-agent", dataBytes: 1 << 30, commitMilliseconds: 1000,
      eventBytes: 64 << 20, keepFreeBytes: 64 << 20,
      keepRemovedMilliseconds: 7 * 24 * 3_600_000)
    guard let section else { return storage }
    return section.mapping { mapping in
      if let path = mapping.take("directory")?.absolutePath() { storage.directory = path }
      if let bytes = mapping.take("keep-free")?.size(in: 0...1 << 40) {
        storage.keepFreeBytes = bytes
      }
      _ = mapping.take("data")?.mapping { data -> Void? in
        if let size = data.take("size")?.size(in: sizes) { storage.dataBytes = size }
        // Shorter than a sync takes on flash is no promise; longer than a minute loses too much.
        if let commit = data.take("commit")?.duration(in: 10...60_000) {
          storage.commitMilliseconds = commit
        }
        return nil
      }
      _ = mapping.take("events")?.mapping { events -> Void? in
        if let size = events.take("size")?.size(in: sizes) { storage.eventBytes = size }
        return nil
      }
      // Longer than any store lasts is no promise.
      if let keep = mapping.take("keep-removed")?.duration(in: 0...longestAge) {
        storage.keepRemovedMilliseconds = keep
      }
      return storage
    }
  }

  /// Where the agent's socket is unless the file says otherwise.
  static let defaultControlSocket = "/run/edge-agent/control.sock"

  /// The `control` section: the path of the agent's socket.
  func control(_ section: ConfigurationValue?) -> String? {
    let standard = Self.defaultControlSocket
    guard let section else { return standard }
    return section.mapping { mapping in
      guard let socket = mapping.take("socket") else { return standard }
      guard let path = socket.absolutePath() else { return nil }
      guard path.utf8.count <= socketPathLimit else {
        socket.refuse("is longer than \(socketPathLimit) bytes", "a shorter path is expected")
        return nil
      }
      return path
    }
  }
}

extension ConfigurationValue {
  /// A text that may stand between two slashes of a topic, and in the names of other programs'
  /// files and tables: letters, digits and `-_.` of ASCII.
  func topicLevel() -> String? {
    guard let text = text("a code") else { return nil }
    let expected = "it becomes part of topics, so letters a-z A-Z, digits and - _ . are expected"
    let forbidden = text.unicodeScalars.first { scalar in
      !scalar.isASCII
        || !(scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
          && !["-", "_", "."].contains(scalar)
    }
    if let forbidden {
      refuse("has \(Self.name(of: forbidden))", expected)
      return nil
    }
    guard text.utf8.count <= topicLevelLimit else {
      refuse("is longer than \(topicLevelLimit) bytes", "it becomes part of topics")
      return nil
    }
    return text
  }

  private static func name(of character: Unicode.Scalar) -> String {
    if character.properties.isWhitespace { return "a space" }
    let quotationMarks: Set<Unicode.Scalar> = ["“", "”", "„", "‘", "’", "＂", "＇", "「", "」"]
    let kind = quotationMarks.contains(character) ? "the quotation mark " : "a "
    return kind + printable(String(character))
      + (quotationMarks.contains(character) ? ", which is not \"" : "")
  }

  /// A path from the root: services run in a directory that nobody thinks of.
  func absolutePath() -> String? {
    guard let path = text("a path") else { return nil }
    guard path.hasPrefix("/") else {
      refuse("does not begin with /", "an absolute path is expected")
      return nil
    }
    return path
  }
}
