internal import ArgumentParser
internal import Buffering
internal import Telemetry

/// `edge-agent journal verify`.
struct JournalVerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Look for damage and for what is missing.",
    discussion: """
      Prints a line for each finding and one in summary. Exits with 0 if there is no finding, with \
      1 if there is one, also one that gap events explain.
      """)

  @OptionGroup var arguments: StoreArguments

  func run() throws {
    let inspection = try arguments.open()
    let output = OutputLines()
    var json = JSONWriter()
    let result = inspection.verify(arguments.streams) { finding in
      json.reset()
      json.write(finding)
      output.add(json.bytes)
    }
    json.reset()
    json.beginObject()
    json.member("kind", "summary")
    json.writeStore(inspection)
    json.member("batches", result.batches)
    json.member("values", result.values)
    json.member("findings", result.findings)
    json.member("lost", result.lost)
    json.member("explained", result.explained)
    json.endObject()
    output.add(json.bytes)
    output.flush()
    if result.findings > 0 { throw ExitCode.failure }
  }
}

extension JSONWriter {
  /// Which store it is and its newest epoch; null where its record can't be read.
  mutating func writeStore(_ inspection: StoreInspection) {
    key("store")
    if let store = inspection.store { string(hexadecimal(store, digits: 16)) } else { null() }
    member("epoch", inspection.epoch.map { Int64($0) })
  }

  fileprivate mutating func write(_ finding: StoreFinding) {
    beginObject()
    member("kind", "finding")
    member("what", finding.what.rawValue)
    member("file", finding.file)
    if let offset = finding.offset { member("offset", offset) }
    if let length = finding.length { member("length", length) }
    if let stream = finding.stream { member("stream", "\(stream)") }
    if let lost = finding.lost {
      key("lost")
      beginObject()
      members(of: lost)
      member("count", lost.seqs.count)
      endObject()
      member("explained", finding.isExplained)
    }
    if let problem = finding.problem { member("problem", problem) }
    endObject()
  }
}
