import Telemetry
import Testing

@testable import Drivers

/// Compares what was reported with what was due.
enum Accounting {
  /// Each point of the devices has exactly one outcome for each of its cycles up to the one that is
  /// due next, in the order of their times.
  static func expectExact(
    _ play: Play, _ names: [String], phases: PollAgenda? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    for entry in play.machine.agenda.schedule.entries(where: { _ in true }) {
      let request = entry.job.request
      let name = names[entry.job.device]
      let samples = play.samples.filter { $0.device.name == name }
      for point in request.points {
        let times = samples.filter { $0.outcomes.contains { $0.point == point } }
          .map(\.time.monotonic)
        let first = phases.flatMap { firstTime(of: point, entry.job.device, $0) } ?? 0
        let cycles = (entry.next - first) / request.everyMilliseconds
        #expect(
          times.count == Int(cycles), "\(name).\(point), every \(request.everyMilliseconds)",
          sourceLocation: sourceLocation)
        let disorder = zip(times, times.dropFirst()).first { $0 >= $1 }
        #expect(disorder == nil, "\(name).\(point)", sourceLocation: sourceLocation)
        // Nothing waits for ever.
        let latest = play.now - request.everyMilliseconds - 20_000
        #expect(entry.next >= latest, "\(name).\(point)", sourceLocation: sourceLocation)
      }
    }
  }

  /// When a point is due first by an agenda that was not used yet.
  private static func firstTime(of point: Int, _ device: Int, _ agenda: PollAgenda) -> Int64? {
    agenda.schedule.entries { $0.device == device && $0.request.points.contains(point) }
      .first?.next
  }
}
