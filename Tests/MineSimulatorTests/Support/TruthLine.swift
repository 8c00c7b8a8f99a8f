import TestSupport
import Testing

/// A line of the ground truth, its values as the texts that stand there.
struct TruthLine: Equatable {
  var device: String
  var values: [String: String]?
  var fault: String?
  var late: Int?
  var time: Int64
  var mono: Int64

  /// Reads the simulator's own form of JSON: names without quotes or braces, flat values.
  init(_ line: String) throws {
    func member(_ name: String, _ end: Character) -> String? {
      guard let start = line.firstRange(of: "\"\(name)\":")?.upperBound else { return nil }
      return String(line[start...].prefix { $0 != end })
    }
    try #require(line.hasPrefix("{") && line.hasSuffix("}"), "\(line)")
    device = try #require(member("device", ",")).filter { $0 != "\"" }
    fault = member("fault", "}").map { $0.filter { $0 != "\"" } }
    late = member("late", ",").flatMap { Int($0) }
    time = try #require(member("time", ",").flatMap { Int64($0) })
    mono = try #require(member("mono", ",").flatMap { Int64($0) })
    guard let inner = member("values", "}")?.dropFirst() else { return }
    let pairs = inner.split(separator: ",").map { $0.split(separator: ":") }
    values = Dictionary(
      uniqueKeysWithValues: pairs.map { (String($0[0].filter { $0 != "\"" }), String($0[1])) })
  }

  static func read(_ path: String) throws -> [TruthLine] { try lines(of: path).map(TruthLine.init) }
}
