import Foundation
import TestSupport
import Testing

/// pymodbus' server, a slave that others wrote, alone or behind a line with faults
/// (`Benchmarks/field`).
final class PymodbusSlave {
  /// How it is reached.
  enum Carrier: String, CaseIterable, CustomTestStringConvertible {
    case tcp
    case rtu

    var testDescription: String { rawValue }
  }

  /// The tables of a unit, from address 0. `exceptions`: codes by reading function.
  struct Unit {
    var coils: [Int] = []
    var discretes: [Int] = []
    var inputs: [UInt16] = []
    var holdings: [UInt16] = []
    var exceptions: [Int: Int] = [:]

    fileprivate var json: [String: Any] {
      [
        "coil": coils, "discrete": discretes, "input": inputs.map(Int.init),
        "holding": holdings.map(Int.init),
        "exceptions": Dictionary(uniqueKeysWithValues: exceptions.map { ("\($0)", $1) }),
      ]
    }
  }

  /// Where a bus over TCP finds it.
  let port: UInt16
  /// Where a serial bus finds it.
  var path: String { directory.file("agent") }
  private let directory: TemporaryDirectory
  private var programs: [ChildProcess] = []

  /// Starts it with units by number; with `faults`, each second answer suffers one of these kinds.
  init(_ units: [Int: Unit], over carrier: Carrier, faults: [String] = [], seed: Int = 1) throws {
    directory = try TemporaryDirectory()
    let first = try LoopbackPorts.free(2)
    port = first
    let words = Dictionary(uniqueKeysWithValues: units.map { ("\($0)", $1.json) })
    try Self.write(words, to: directory.file("units.json"))
    try Self.write(
      [["kinds": faults, "share": faults.isEmpty ? 0 : 0.5]], to: directory.file("plan.json"))
    let python = try Self.python()
    let line = [
      "--plan", directory.file("plan.json"), "--log", directory.file("log"), "--seed", "\(seed)",
      "--timeout", "\(Double(Self.timeout) / 1000)",
    ]
    switch carrier {
    case .tcp:
      try start(python, "field.pymodbus_units", "tcp:\(first + 1)", directory.file("units.json"))
      try start(
        python, "field",
        arguments: ["--listen", "tcp:\(first)", "--units", "tcp:\(first + 1)"] + line)
    case .rtu:
      let slave = directory.file("slave")
      try start(
        python, "field", arguments: ["--listen", "rtu:\(path)", "--units", "rtu:\(slave)"] + line)
      try start(python, "field.pymodbus_units", "rtu:\(slave)", directory.file("units.json"))
    }
  }

  /// Milliseconds that faults are measured by: a bus that is to see them has this time-out.
  static let timeout: Int64 = 200

  /// How many answers suffered a fault so far.
  var faultCount: Int {
    text(of: directory.file("log")).split(separator: "\n").count {
      !$0.contains("\"fault\": \"none\"")
    }
  }

  private func start(_ python: String, _ module: String, _ arguments: String...) throws {
    try start(python, module, arguments: arguments)
  }

  private func start(_ python: String, _ module: String, arguments: [String]) throws {
    let program = try ChildProcess(
      python, ["-m", module] + arguments,
      environment: [
        "PYTHONPATH": Programs.sourceTree + "/Benchmarks", "PYTHONDONTWRITEBYTECODE": "1",
      ])
    programs.append(program)
    try program.waitUntilItPrints("ready\n")
  }

  /// A Python that has pymodbus; installed on first use.
  private static func python() throws -> String {
    let result = try ChildProcess.run(
      Programs.sourceTree + "/scripts/lib/pymodbus", within: 4 * patienceSeconds)
    guard result.status == 0 else { throw WaitedInVain("pymodbus; \(result.errors)") }
    return result.output.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  private static func write(_ object: Any, to path: String) throws {
    try JSONSerialization.data(withJSONObject: object).write(to: URL(fileURLWithPath: path))
  }
}
