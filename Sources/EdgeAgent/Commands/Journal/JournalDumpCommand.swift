internal import ArgumentParser
internal import Buffering
internal import Glibc
internal import Telemetry
internal import Uplink

/// `edge-agent journal dump`.
struct JournalDumpCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dump", abstract: "Print batches as they are published, with their place.",
    discussion: """
      A line a batch: file, offset, and as `payload` exactly what destinations get of it. Without \
      --stream the events come first. A time is Unix milliseconds or UTC like 2026-11-21, \
      2026-11-21T02:03 or 2026-11-21T02:03:05Z. Exits with 1 if something could not be read; see \
      `edge-agent journal verify`.
      """)

  @OptionGroup var arguments: StoreArguments
  @OptionGroup var owner: StoreOwner
  @Option(help: "Only batches with something of this time or later.")
  var from: TimeArgument?
  @Option(help: "Only batches with something before this time.")
  var to: TimeArgument?
  @Option(help: "At most so many batches.")
  var limit: Int?
  @Option(
    help: "The gateway's id in payloads, which the store does not know; else the configuration's.")
  var gateway: String?

  func validate() throws {
    if let limit, limit < 0 { throw ValidationError("--limit \(limit): a number from 0 on") }
  }

  func run() throws {
    let inspection = try arguments.open()
    var known = gateway
    if known == nil { known = try owner.configuration(of: arguments.directory)?.gateway.id }
    let output = OutputLines()
    var encoder = PayloadEncoder(
      gateway: known ?? "", destination: "", agentVersion: productVersion)
    var json = JSONWriter(capacity: 16 * 1024)
    var rest = limit ?? .max
    var unreadable = 0
    for stream in arguments.streams where rest > 0 {
      unreadable += inspection.forEachBatch(of: stream) { placed in
        guard isWanted(placed.batch) else { return true }
        json.reset()
        json.beginObject()
        json.member("file", placed.file)
        json.member("offset", placed.offset)
        json.key("payload")
        json.raw(encoder.encode(placed.batch))
        json.endObject()
        output.add(json.bytes)
        rest -= 1
        return rest > 0
      }
    }
    output.flush()
    guard unreadable > 0 else { return }
    Log.error("not all can be read: see edge-agent journal verify \(arguments.directory)")
    throw ExitCode.failure
  }

  private func isWanted(_ batch: Batch) -> Bool {
    guard from != nil || to != nil else { return true }
    guard let times = batch.times else { return false }
    if let from, times.upperBound < from.milliseconds { return false }
    if let to, times.lowerBound >= to.milliseconds { return false }
    return true
  }
}

/// A time on the command line: Unix milliseconds, or a date with or without a time of day, UTC.
struct TimeArgument: ExpressibleByArgument, Equatable {
  var milliseconds: Int64

  init(milliseconds: Int64) { self.milliseconds = milliseconds }

  init?(argument: String) {
    if let number = Int64(argument) {
      milliseconds = number
      return
    }
    let pattern = /(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d))?)?Z?/
    guard let match = try? pattern.wholeMatch(in: argument) else { return nil }
    func number(_ text: Substring?) -> Int32 { text.flatMap { Int32($0) } ?? 0 }
    var parts = tm()
    parts.tm_year = number(match.1) - 1900
    parts.tm_mon = number(match.2) - 1
    parts.tm_mday = number(match.3)
    parts.tm_hour = number(match.4)
    parts.tm_min = number(match.5)
    parts.tm_sec = number(match.6)
    let asked = parts
    milliseconds = Int64(timegm(&parts)) * 1000
    // The 31st of February would be taken for a day in March.
    guard parts.tm_mon == asked.tm_mon, parts.tm_mday == asked.tm_mday,
      parts.tm_hour == asked.tm_hour, parts.tm_min == asked.tm_min, parts.tm_sec == asked.tm_sec
    else { return nil }
  }
}
