/// Units of a bus as they are given on the command line: `1-247`, `1,3,10-20`. Pure.
enum UnitList {
  /// What a unit may be (Modbus over serial line V1.02, section 2.2).
  static let all: ClosedRange<UInt8> = 1...247
  /// Milliseconds that the second pass of a scan may wait, as those of a bus.
  static let timeouts: ClosedRange<Int64> = 10...60_000
  /// The same for a human.
  static let timeoutWords = "\(timeouts.lowerBound) to \(timeouts.upperBound) ms"

  /// The units; `nil` for text that names none, or others.
  static func units(_ text: String) -> [UInt8]? {
    var units: Set<UInt8> = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { UInt8($0) }
      guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1],
        all.contains(first), all.contains(last), first <= last
      else { return nil }
      units.formUnion(first...last)
    }
    return units.sorted()
  }

  /// The same back as text; `units` ascend.
  static func text(_ units: [UInt8]) -> String {
    var ranges: [ClosedRange<UInt8>] = []
    for unit in units {
      if let last = ranges.last, Int(last.upperBound) + 1 == Int(unit) {
        ranges[ranges.count - 1] = last.lowerBound...unit
      } else {
        ranges.append(unit...unit)
      }
    }
    return ranges.map {
      $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)"
    }.joined(separator: ",")
  }
}
