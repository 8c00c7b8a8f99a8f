import ArgumentParser
import Glibc
import LinuxSystem
import MQTT

/// The reference receiver. `main` is synchronous: signals are taken over before there is a second
/// thread.
@main
struct EdgeReceiveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "edge-receive",
    abstract: "Keeps everything that gateways publish, and accounts for it.",
    usage: """
      edge-receive --url mqtt[s]://HOST[:PORT] --store FILE [--topic FILTER] [--client-id ID] \
      [--ca-file FILE] [--certificate-file FILE --key-file FILE] [--table] [--seconds N]
      edge-receive --store FILE --verify [--truth FILE [--wall-time]] \
      [--since UNIXMS]... [--json]
      """,
    discussion: """
      Receiving, it prints 'ready' once subscribed and goes on until SIGTERM or SIGINT. Its \
      session with the broker is persistent (MQTT 5, one day): give each receiver its own \
      --client-id, and let the broker queue without limit (mosquitto: max_queued_messages 0, \
      persistence true).

      Verifying, it exits with 0 only if everything is accounted for, with 1 if batches, epochs or \
      served values are missing without explanation, readings are out of order, two contents came \
      under one identity, an epoch came from two boots, values were never served, messages are \
      malformed, or nothing was received.

      --json prints one object: v, complete, problems, messages, malformed, repeats, conflicts, \
      clones, out-of-order, streams (held, holes with explanation or null), missing-epochs, \
      time-gaps, devices (bad by reason), samples (by clock), latency (p50, p99, max in ms; live, \
      history), first-fresh, and with --truth: truth (served, delivered, late, lost, lost-values, \
      explained, invented, invented-values, ...).
      """)

  @Option(help: "The broker: mqtt://HOST[:PORT], or mqtts://HOST[:PORT] for TLS.")
  var url: String?

  @Option(
    help: "Who vouches for the broker of an mqtts:// URL; the system's authorities if left out.")
  var caFile: String?

  @Option(help: "The certificate to show to the broker of an mqtts:// URL.")
  var certificateFile: String?

  @Option(help: "Its private key.")
  var keyFile: String?

  @Option(help: "The SQLite file that keeps what arrives.")
  var store: String

  @Option(help: "The topics to receive.")
  var topic = "mine/v1/#"

  @Option(help: "The MQTT client id; it names the session.")
  var clientID = "edge-receive"

  @Option(help: "The user name for the broker.")
  var username: String?

  @Option(help: "The file with the password for the broker, in its first line.")
  var passwordFile: String?

  @Flag(help: "Show the newest values each second.")
  var table = false

  @Option(help: "Receive for so many seconds.")
  var seconds: Int?

  @Flag(help: "Account for what the store holds.")
  var verify = false

  @Option(help: "The ground truth of mine-simulator, to compare value by value.")
  var truth: String?

  @Flag(
    help: """
      Compare with the truth by the wall clock: the simulator ran on another machine than the \
      agent, both synchronised.
      """)
  var wallTime = false

  @Option(
    parsing: .singleValue,
    help: "A moment (Unix ms); tells how long after it the first fresh sample came. Repeatable.")
  var since: [Int64] = []

  @Flag(help: "Print the account as JSON.")
  var json = false

  mutating func validate() throws {
    if verify {
      guard url == nil, !table, seconds == nil, caFile == nil, certificateFile == nil,
        keyFile == nil
      else {
        throw ValidationError(
          "--verify receives nothing: --url, --table, --seconds, files of TLS don't go with it"
        )
      }
    } else {
      guard let url else { throw ValidationError("--url or --verify is expected") }
      guard truth == nil, !wallTime, since.isEmpty, !json else {
        throw ValidationError("--truth, --wall-time, --since and --json need --verify")
      }
      try validateSecurity(of: url)
      if let seconds, seconds < 1 || seconds > Self.longestSeconds {
        throw ValidationError("--seconds: 1…\(Self.longestSeconds) is expected, not \(seconds)")
      }
    }
  }

  private func validateSecurity(of url: String) throws {
    let isSecure: Bool
    do {
      isSecure = try BrokerURL(url).isSecure
    } catch {
      throw ValidationError(error.description)
    }
    if !isSecure, caFile != nil || certificateFile != nil || keyFile != nil {
      throw ValidationError("--ca-file, --certificate-file, --key-file need an mqtts:// URL")
    }
    if (certificateFile == nil) != (keyFile == nil) {
      throw ValidationError("--certificate-file and --key-file need each other")
    }
  }

  /// Ten years: beyond any use, and far from overflowing milliseconds.
  private static let longestSeconds = 10 * 366 * 24 * 60 * 60

  mutating func run() throws {
    do {
      if verify { try account() } else { try receive() }
    } catch let error as SQLiteError {
      Terminal.log(error.description)
      throw ExitCode(74)  // EX_IOERR: the store, not what it holds.
    } catch let error as SystemError {
      Terminal.log(error.description)
      throw ExitCode(66)  // EX_NOINPUT
    }
  }

  private func receive() throws {
    guard let url = try url.map(BrokerURL.init) else { return }
    let stop = try StopSignal()
    try stop.takeSignals()
    let settings = Receiver.Settings(
      host: url.host, port: url.port, tls: url.isSecure ? tls : nil, clientID: clientID,
      username: username, password: try passwordFile.map(Self.password), filter: topic,
      seconds: seconds, showsTable: table)
    var receiver = Receiver(
      settings, store: try MessageStore(path: store, creates: true), stop: stop)
    try receiver.run()
  }

  private var tls: TLSSettings {
    var identity: TLSSettings.Identity?
    if let certificateFile, let keyFile {
      identity = TLSSettings.Identity(certificateFile: certificateFile, keyFile: keyFile)
    }
    return TLSSettings(caFile: caFile, identity: identity)
  }

  private static func password(inFile path: String) throws(SystemError) -> [UInt8] {
    var password: [UInt8] = []
    try LineReader.read(path) { line, number, _ in if number == 1 { password = line } }
    return password
  }

  private func account() throws {
    var account = Account(
      Account.Options(since: since, keepsValues: truth != nil, comparesWallTime: wallTime))
    try MessageStore(path: store, creates: false).forEachMessage { account.add($0) }
    let report = account.report(truth: try truth.map(servedTruth))
    Terminal.write(json ? report.json + [UInt8(ascii: "\n")] : Array(report.text.utf8))
    guard report.isComplete else { throw ExitCode(1) }
  }

  private func servedTruth(inFile path: String) throws(SystemError) -> Truth {
    var truth = Truth(comparesWallTime: wallTime)
    try LineReader.read(path) { line, number, isCut in
      // A simulator that was killed may leave half a line.
      if !isCut, !line.isEmpty { truth.add(line: line, number: number) }
    }
    return truth
  }
}
