internal import ConfigurationFile
internal import Drivers
internal import LinuxSystem
internal import Telemetry

/// Reads GPIO lines where no agent runs. Levels are read once; a frequency takes its window; edges
/// are counted and people are reckoned by a running agent only.
struct DirectInputs {
  /// Requests take a moment beside the window.
  private static let spareMilliseconds: Int64 = 1000
  /// After it the lines are given back.
  private static let endSeconds = 2.0

  private let lines: [LineDefinition]
  private let areas: [AreaDefinition]

  /// The lines and areas of those names.
  init(_ names: Set<String>, of configuration: AgentConfiguration) {
    lines = configuration.lines.filter { names.contains($0.name) }
    areas = configuration.areas.filter { names.contains($0.name) }
  }

  /// Reads them all, one after the other but for frequencies, which are read at the same time.
  /// - Parameter notice: Told what takes how long, before it does.
  func read(telling notice: (String) -> Void) -> [ProbeReport.Input] {
    let frequencies = frequencies(telling: notice)
    return lines.flatMap { line in
      if case .frequency = line.purpose {
        return Self.inputs(line, frequencies[line.name])
      }
      var finding = LineReading.read(line)
      // Where a line is that can't be had.
      finding.place = finding.place ?? LineSurvey.of([line]).first?.place
      return Self.inputs(line, finding)
    } + areas.compactMap(Self.input)
  }

  private static func inputs(
    _ line: LineDefinition, _ finding: LineFinding
  ) -> [ProbeReport.Input] {
    guard let value = line.points.first else { return [] }
    let uncounted = line.points.dropFirst().map(\.name).joined(separator: ", ")
    let needed = uncounted.isEmpty ? nil : "\(uncounted): needs the running agent"
    let problem = [finding.text, needed].compactMap(\.self).joined(separator: "; ")
    let outcome: Outcome =
      if let isActive = finding.isActive { .good(.bool(isActive)) } else {
        .bad(finding.fault ?? .lineMissing)
      }
    return [
      ProbeReport.Input(
        .line, device: line.name, value, outcome, place: finding.place,
        problem: problem.isEmpty ? nil : problem)
    ]
  }

  private static func inputs(
    _ line: LineDefinition, _ measured: Measured?
  ) -> [ProbeReport.Input] {
    line.points.enumerated().map { index, point in
      ProbeReport.Input(
        .line, device: line.name, point,
        measured?.outcomes[index] ?? .bad(.notRead), place: measured?.place,
        problem: measured?.fault)
    }
  }

  private static func input(_ area: AreaDefinition) -> ProbeReport.Input? {
    area.points.first.map {
      ProbeReport.Input(
        .area, device: area.name, $0, .bad(.notRead), problem: "needs the running agent")
    }
  }

  // MARK: Frequencies

  private struct Measured {
    var outcomes: [Int: Outcome] = [:]
    var place: String?
    var fault: String?
  }

  /// Keeps each line's newest sample.
  private final class Newest: LineSink {
    let samples = Monitor<[String: Sample]>([:])

    func accept(_ sample: Sample) {
      samples.withLock { $0[sample.device.name] = sample }
    }

    func accept(_ event: Event) {}
    func accept(_ transition: LineTransition) {}
    func line(_ name: String, changedTo fault: BadReason?, at time: Timestamp) {}
  }

  /// Watches them for their longest window, as an agent does.
  private func frequencies(telling notice: (String) -> Void) -> [String: Measured] {
    var longest: Int64 = 0
    let watched = lines.compactMap { line -> LineDefinition? in
      guard case .frequency(let scale) = line.purpose else { return nil }
      var line = line
      line.everyMilliseconds = scale.windowMilliseconds
      longest = max(longest, scale.windowMilliseconds)
      return line
    }
    guard !watched.isEmpty else { return [:] }
    let time = 2 * longest + Self.spareMilliseconds
    notice("GPIO lines: their frequencies take \(durationText(milliseconds: time))")
    let sink = Newest()
    let inputs: GPIOInputs
    do throws(SystemError) {
      inputs = try GPIOInputs(
        watched, totals: [:], totalReason: nil, sink: sink, clock: KernelClock(),
        heartbeat: Heartbeat(name: "probe"))
    } catch {
      return Dictionary(watched.map { ($0.name, Measured(fault: "\(error)")) }) { first, _ in
        first
      }
    }
    let nobody = Monitor(())
    let _: Void? = nobody.wait(atMost: Double(time) / 1000) { _ in nil }
    let statistics = inputs.statistics
    inputs.cancel()
    _ = inputs.waitForEnd(atMost: Self.endSeconds)
    return sink.samples.withLock { samples in
      Dictionary(
        watched.map { line in
          let known = statistics[line.name]
          var measured = Measured(place: known?.place, fault: known?.fault)
          for entry in samples[line.name]?.outcomes ?? [] {
            measured.outcomes[entry.point] = entry.outcome
          }
          return (line.name, measured)
        }
      ) { first, _ in first }
    }
  }
}
