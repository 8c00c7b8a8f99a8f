/// What each operation may cost, as checked in: a line each, with allocations, bytes asked of the
/// heap, and bytes of its payload; behind `#` what a reader has to know.
struct Budgets {
  var costs: [String: Cost]

  /// A text that is no budget file.
  struct Malformed: Error, CustomStringConvertible {
    var line: Int
    var description: String { "line \(line): expected NAME ALLOCATIONS BYTES PAYLOAD" }
  }

  init(parsing text: String) throws(Malformed) {
    costs = [:]
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
    where !line.isEmpty && !line.hasPrefix("#") {
      let words = line.split(separator: " ")
      let numbers = words.dropFirst().compactMap { UInt64($0) }
      guard words.count == 4, numbers.count == 3, costs[String(words[0])] == nil else {
        throw Malformed(line: index + 1)
      }
      costs[String(words[0])] = Cost(
        allocations: numbers[0], bytes: numbers[1], payloadBytes: numbers[2])
    }
  }

  /// What is wrong, a line each; nothing if every measurement has its budget and costs exactly
  /// that.
  func differences(from measured: [Measurement]) -> [String] {
    var differences: [String] = []
    for one in measured {
      guard let budget = costs[one.name] else {
        differences.append("\(one.name): has no budget: run bench-micro --write to give it one")
        continue
      }
      differences += one.cost.parts(beside: budget).compactMap { what, found, allowed in
        found == allowed
          ? nil
          : "\(one.name): \(found) \(what), \(allowed) in the budget: "
            + (found < allowed
              ? "better: run bench-micro --write to lower the budget" : "worse")
      }
    }
    let names = Set(measured.map(\.name))
    for name in costs.keys.sorted() where !names.contains(name) {
      differences.append("\(name): is in the budget and is not measured")
    }
    return differences
  }

  /// The text of a budget file.
  static func text(of measured: [Measurement], compiler: String) -> String {
    var lines = [
      "# What one operation costs. Written by bench-micro --write, compared by --check, exactly.",
      "# Swift \(compiler), glibc, release build.",
      "#",
      row("# operation", ["allocations", "bytes", "payload"]),
    ]
    for one in measured {
      lines.append(
        row(
          one.name,
          [one.cost.allocations, one.cost.bytes, one.cost.payloadBytes].map { "\($0)" }))
    }
    return lines.joined(separator: "\n") + "\n"
  }
}

extension Cost {
  /// The parts of two costs side by side, with their names.
  fileprivate func parts(beside budget: Cost) -> [(what: String, found: UInt64, allowed: UInt64)] {
    [
      ("allocations", allocations, budget.allocations), ("bytes allocated", bytes, budget.bytes),
      ("payload bytes", payloadBytes, budget.payloadBytes),
    ]
  }
}

/// A line of a table: its name to the left, its cells to the right.
func row(_ name: String, _ cells: [String]) -> String {
  func padding(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.utf8.count))
  }
  return name + padding(name, 26) + cells.map { padding($0, 12) + $0 }.joined()
}
