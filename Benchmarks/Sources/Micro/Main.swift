internal import Glibc

/// Measures single steps of the agent: exactly what they ask of the heap, and how long they take.
@main
enum Main {
  private static let usage = """
    usage: bench-micro [--only PART] [--check FILE | --write FILE]
      --only PART   only operations whose names contain PART; not with --write
      --check FILE  compare with the budgets in FILE: status 1 when anything differs
      --write FILE  write what was measured as budgets
    """
  private static let usageStatus: Int32 = 64

  private static func operations() throws -> [any Operation] {
    [
      Plan(), PollStep(), try TCPFrames(), Decode(),
      try Edges(.level), try Edges(.count), try Edges(.frequency),
      try Append(samples: 1, onFile: false), try Append(samples: 16, onFile: false),
      try Append(samples: 1, onFile: true), try Append(samples: 16, onFile: true),
      try Read(samples: 1), try Read(samples: 16),
      try Encode(samples: 1), try Encode(samples: 16),
      try ReadConfiguration(),
    ]
  }

  static func main() {
    guard let options = Options(CommandLine.arguments.dropFirst()) else {
      print(usage)
      exit(usageStatus)
    }
    do {
      print(row("operation", ["allocations", "bytes", "payload", "shortest/ns", "median/ns"]))
      let measured = try operations()
        .filter { options.only.map($0.name.contains) ?? true }
        .map(measure)
      if let path = options.write {
        try writeFile(path, Budgets.text(of: measured, compiler: compilerVersion))
      }
      guard let path = options.check else { exit(0) }
      var budgets = try Budgets(parsing: readFile(path))
      if let only = options.only { budgets.costs = budgets.costs.filter { $0.key.contains(only) } }
      let differences = budgets.differences(from: measured)
      for difference in differences { print(difference) }
      exit(differences.isEmpty ? 0 : 1)
    } catch {
      print("bench-micro: \(error)")
      exit(1)
    }
  }

  private static func measure(_ operation: any Operation) throws -> Measurement {
    let one = try Measurement(of: operation)
    let exact = [one.cost.allocations, one.cost.bytes, one.cost.payloadBytes].map { "\($0)" }
    print(row(one.name, exact + ["\(one.shortest)", "\(one.median)"]))
    return one
  }

  /// As far as the compiler tells.
  private static var compilerVersion: String {
    #if compiler(>=6.4)
      "6.4 or later"
    #elseif compiler(>=6.3)
      "6.3"
    #else
      "6.2"
    #endif
  }
}

private struct Options {
  var only: String?
  var check: String?
  var write: String?

  /// `nil` for arguments that make no sense.
  init?(_ arguments: ArraySlice<String>) {
    var rest = arguments
    while let flag = rest.popFirst() {
      guard let value = rest.popFirst() else { return nil }
      switch flag {
      case "--only": only = value
      case "--check": check = value
      case "--write": write = value
      default: return nil
      }
    }
    guard check == nil || write == nil, only == nil || write == nil else { return nil }
  }
}

private struct FileFailure: Error, CustomStringConvertible {
  var path: String
  var description: String
  init(_ path: String) {
    self.path = path
    description = "\(path): \(String(cString: strerror(errno)))"
  }
}

private func readFile(_ path: String) throws(FileFailure) -> String {
  guard let file = fopen(path, "r") else { throw FileFailure(path) }
  defer { fclose(file) }
  // Many times what budgets take.
  var bytes = [UInt8](repeating: 0, count: 1 << 16)
  let count = fread(&bytes, 1, bytes.count, file)
  return String(decoding: bytes[..<count], as: UTF8.self)
}

private func writeFile(_ path: String, _ text: String) throws(FileFailure) {
  guard let file = fopen(path, "w") else { throw FileFailure(path) }
  let bytes = Array(text.utf8)
  let written = fwrite(bytes, 1, bytes.count, file)
  guard fclose(file) == 0, written == bytes.count else { throw FileFailure(path) }
}
