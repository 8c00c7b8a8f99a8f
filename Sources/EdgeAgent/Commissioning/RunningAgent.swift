internal import ArgumentParser
internal import Buffering
internal import Glibc
internal import LinuxSystem
internal import Telemetry

/// An errand that a running agent does for this program.
struct RunningAgent {
  /// Between two looks.
  private static let pauseSeconds = 0.1
  /// A bus does a question of an errand within four times its time-out, which is a minute at most;
  /// without any progress for longer it hangs.
  private static let patience: Duration = .seconds(300)

  /// Its process id.
  let process: Int
  private let client: ControlClient
  private let job: Int

  /// Has the agent of a configuration begin a job; `nil` if none runs.
  /// - Throws: exit 69, with the reason on standard error, if one runs that can't be asked.
  static func begin(
    _ request: [UInt8], of configuration: AgentConfiguration
  ) throws -> RunningAgent? {
    let client = ControlClient(path: configuration.controlSocket)
    let fields: JSONFields
    do throws(ControlFailure) {
      fields = try ask(client, request)
    } catch {
      guard error.isAbsence else { throw refused(error.description) }
      // One that can't listen polls its buses all the same.
      guard let holder = StoreLock.holder(directory: configuration.storage.directory) else {
        return nil
      }
      let process = holder > 0 ? "process \(holder)" : "another process"
      throw refused(
        "\(error); but \(process) holds the store \(configuration.storage.directory): "
          + "its buses are not to be asked by two")
    }
    do throws(PayloadError) {
      return RunningAgent(
        process: try fields.integer("process"), client: client, job: try fields.integer("job"))
    } catch {
      throw refused(
        ControlFailure.notUnderstood(path: client.path, reason: error.description).description)
    }
  }

  /// Waits for the end of the job and gives its answer.
  /// - Parameter observer: Told how much was asked, and of how much.
  /// - Throws: exit 69, with the reason on standard error.
  func wait(_ observer: (_ asked: Int, _ all: Int) -> Void = { _, _ in }) throws -> JSONFields {
    let request = ControlProtocol.request("job") { $0.member("job", job) }
    let nobody = Monitor(())
    var last = -1
    var lastProgress = ContinuousClock.now
    while true {
      let fields: JSONFields
      let isDone: Bool
      let asked: Int
      let all: Int
      do {
        fields = try Self.ask(client, request)
        isDone = try fields.bool("done")
        let progress = try fields.optionalFields("progress")
        asked = try progress.optionalInteger("asked") ?? 0
        all = try progress.optionalInteger("of") ?? 0
      } catch {
        throw Self.refused("\(error)")
      }
      if isDone { return fields }
      observer(asked, all)
      if asked != last { (last, lastProgress) = (asked, .now) }
      guard lastProgress.duration(to: .now) < Self.patience else {
        throw Self.refused("the agent, process \(process), does not get on with it")
      }
      let _: Void? = nobody.wait(atMost: Self.pauseSeconds) { _ in nil }
    }
  }

  private static func ask(
    _ client: ControlClient, _ request: [UInt8]
  ) throws(ControlFailure) -> JSONFields {
    let line = try client.ask(request)
    do {
      let fields = try JSONFields(JSONParser.parse(line))
      if let error = try fields.optionalString("error") {
        let text = try fields.optionalString("text") ?? ""
        throw PayloadError(path: error, problem: text)
      }
      return fields
    } catch {
      throw .notUnderstood(path: client.path, reason: "\(error)")
    }
  }

  private static func refused(_ text: String) -> ExitCode {
    Log.error(text)
    return ExitStatus.notRunning
  }
}

extension ControlFailure {
  /// Whether it says that nobody listens.
  fileprivate var isAbsence: Bool {
    switch self {
    case .notThere, .abandoned, .noSocket: true
    case .permissionDenied, .noAnswer, .notUnderstood, .system: false
    }
  }
}

/// A line on standard error that tells how far something is, on a terminal only.
struct ProgressLine {
  private let isShown = isatty(STDERR_FILENO) == 1
  private var width = 0

  /// Takes the place of what stood there.
  mutating func show(_ text: String) {
    guard isShown else { return }
    let safe = terminalSafe(text)
    let padding = String(repeating: " ", count: max(0, width - terminalWidth(safe)))
    width = terminalWidth(safe)
    put("\r" + safe + padding)
  }

  /// Nothing stands there any more.
  mutating func clear() {
    guard isShown, width > 0 else { return }
    put("\r" + String(repeating: " ", count: width) + "\r")
    width = 0
  }

  private func put(_ text: String) {
    let bytes = Array(text.utf8)
    // Only for the eye: whether it was taken is of no matter.
    _ = Glibc.write(STDERR_FILENO, bytes, bytes.count)
  }
}
