internal import Buffering
internal import LinuxSystem
internal import Telemetry

// GPIO lines and areas.
extension HealthBoard {
  /// Takes a sample of a line or of an area.
  func accept(_ sample: Sample, of kind: HealthReport.Part.Kind, definitions: UInt32) {
    change(kind, sample.device.name) { state, place in
      if InputCondition.isGood(sample) { state.parts[place].newestValue = sample.time }
      state.readings.take(sample)
      state.inputs[sample.device.name, default: InputCondition()]
        .take(sample, isJudged: kind == .line)
    }
    ring.accept(DefinedSample(sample, definitions: definitions))
  }

  /// A line or an area is lost for a reason in words, or there again.
  func input(_ kind: HealthReport.Part.Kind, _ name: String, changedTo fault: String?) {
    change(kind, name) { state, _ in
      state.inputs[name, default: InputCondition()].lost = fault
    }
  }

  /// The loop that reads the lines got stuck in a call, or turns again.
  func lines(areStuck: Bool) {
    let now = clock.now()
    // A fault that a line had before goes on; it has said so itself.
    let names: [String] = state.withLock { state in
      state.follow(now)
      guard (state.linesStuckSince != nil) != areStuck else { return [] }
      state.linesStuckSince = areStuck ? now.wall : nil
      let well = state.parts.indices.filter {
        state.parts[$0].kind == .line && state.parts[$0].fault == nil
      }
      if !areStuck { for place in well { state.parts[place].since = now.wall } }
      return well.map { state.parts[$0].name }
    }
    guard !names.isEmpty else { return tellListener() }
    Log.write(
      areStuck ? .warning : .notice, "lines: \(areStuck ? "stuck" : "read again")",
      of: .part("lines"))
    for name in names {
      let detail = LineDetail(
        state: areStuck ? .failed : .recovered, reason: areStuck ? StuckFault.lines : nil)
      ring.accept(
        Event(
          time: now, severity: areStuck ? .warning : .info, source: name, detail: .line(detail)))
    }
    tellListener()
  }

  /// Makes a change to what is known of a line or an area, told with its place among the parts, and
  /// to its fault by it. What is not configured is passed over.
  private func change(
    _ kind: HealthReport.Part.Kind, _ name: String, _ change: (inout HealthState, Int) -> Void
  ) {
    let now = clock.now()
    let news: (fault: String?, isNews: Bool) = state.withLock { state in
      state.follow(now)
      guard let place = state.places[HealthState.PartKey(kind: kind, name: name)] else {
        return (nil, false)
      }
      let wasLost = state.inputs[name]?.lost != nil
      change(&state, place)
      let condition = state.inputs[name] ?? InputCondition()
      guard state.parts[place].fault != condition.fault else { return (nil, false) }
      state.parts[place].fault = condition.fault
      // What is lost for another reason is lost since it was lost.
      if !(wasLost && condition.lost != nil) { state.parts[place].since = now.wall }
      return (condition.fault, true)
    }
    if news.isNews { tell(kind, name, fault: news.fault) }
  }
}
