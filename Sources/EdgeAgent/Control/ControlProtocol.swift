internal import Telemetry

/// What the two sides of the control socket agree on; docs/control.md describes it.
enum ControlProtocol {
  /// Raised when a field is changed or removed; adding one is free.
  static let version = 1
  /// A request names a command and some devices or areas; a client that sends more has lost its
  /// way.
  static let largestRequest = 64 << 10
  /// Newest values of the largest gateway: some thousand points of about 150 bytes each, with room.
  static let largestAnswer = 16 << 20
  /// For a request to arrive, and again for its answer to be taken: a client on the same board
  /// needs milliseconds.
  static let seconds = 2.0

  /// The request line of a command; `arguments` writes the members beside it.
  static func request(
    _ command: String, _ arguments: (inout JSONWriter) -> Void = { _ in }
  ) -> [UInt8] {
    var json = JSONWriter(capacity: 64)
    json.beginObject()
    json.member("v", version)
    json.member("command", command)
    arguments(&json)
    json.endObject()
    return json.bytes + [UInt8(ascii: "\n")]
  }

  /// The answer line that says why there is no other.
  static func answer(_ refusal: ControlRefusal) -> [UInt8] {
    var json = JSONWriter(capacity: 256)
    json.beginObject()
    json.member("v", version)
    json.member("error", refusal.word.rawValue)
    json.member("text", refusal.text)
    json.endObject()
    return json.bytes + [UInt8(ascii: "\n")]
  }
}

/// A command with its arguments.
struct ControlRequest {
  var command: String
  /// Everything that the request says, for commands that take arguments.
  var fields: JSONFields

  /// Reads a request line, without its end.
  init(_ line: some Collection<UInt8>) throws(ControlRefusal) {
    let value: JSONValue
    do throws(JSONError) {
      value = try JSONParser.parse(line)
    } catch {
      throw ControlRefusal(.malformedRequest, error.description)
    }
    let version: Int
    do throws(PayloadError) {
      fields = try JSONFields(value)
      version = try fields.integer("v")
      command = try fields.string("command")
    } catch {
      throw ControlRefusal(.malformedRequest, error.description)
    }
    guard version == ControlProtocol.version else {
      throw ControlRefusal(
        .unsupportedVersion,
        "version \(version) is asked for, \(ControlProtocol.version) is spoken")
    }
  }
}

/// Why a request is not answered.
struct ControlRefusal: Error, Equatable {
  /// The closed list of docs/control.md.
  enum Word: String, CaseIterable {
    /// It is no JSON object with a version and a command.
    case malformedRequest = "malformed-request"
    /// It is of another version of the protocol.
    case unsupportedVersion = "unsupported-version"
    /// It has more than `ControlProtocol.largestRequest` bytes.
    case tooLarge = "too-large"
    /// It did not arrive in time.
    case tooSlow = "too-slow"
    /// Too many others ask at the same time.
    case busy
    /// This agent has no such command.
    case unknownCommand = "unknown-command"
    /// The agent has no device, bus, line or area of that name.
    case unknownName = "unknown-name"
    /// The area has nothing that could be set.
    case notSettable = "not-settable"
    /// There is no such job, or nobody has asked for it for too long.
    case unknownJob = "unknown-job"
    /// The agent, or the bus, does as much for others as it can.
    case tooManyJobs = "too-many-jobs"
  }

  var word: Word
  /// For a human.
  var text: String

  init(_ word: Word, _ text: String) {
    self.word = word
    self.text = text
  }
}

/// Answers commands, on the control socket's thread.
protocol ControlResponder: Sendable {
  /// The answer line, without its end. Must not block: everybody else who asks waits meanwhile.
  func answer(_ request: ControlRequest) throws(ControlRefusal) -> [UInt8]
}
