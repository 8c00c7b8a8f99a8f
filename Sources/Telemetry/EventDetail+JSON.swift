extension EventDetail {
  /// Writes the typed details as members of an object that the caller has opened.
  public func writeMembers(to json: inout JSONWriter) {
    switch self {
    case .start(let detail): detail.writeMembers(to: &json)
    case .stop(let detail): json.member("reason", detail.reason)
    case .gap(let detail): detail.writeMembers(to: &json)
    case .clock(let detail): detail.writeMembers(to: &json)
    case .configuration(let detail):
      if let old = detail.old { json.member("old", old) }
      json.member("new", detail.new)
    case .store(let detail), .bus(let detail), .device(let detail), .destination(let detail):
      json.member("state", detail.state)
      if let reason = detail.reason { json.member("reason", reason) }
    case .line(let detail): detail.writeMembers(to: &json)
    case .headcount(let detail): detail.writeMembers(to: &json)
    }
  }
}

extension StartDetail {
  fileprivate func writeMembers(to json: inout JSONWriter) {
    json.member("agent", agent)
    json.key("previous")
    json.beginArray()
    for epoch in previous {
      json.beginObject()
      json.member("store", hexadecimal(epoch.store, digits: 16))
      json.member("epoch", epoch.epoch)
      json.key("last")
      json.beginObject()
      for stream in StreamName.allCases { json.member("\(stream)", epoch.last[stream] ?? 0) }
      json.endObject()
      json.member("clean", epoch.clean)
      json.endObject()
    }
    json.endArray()
  }
}

extension GapDetail {
  fileprivate func writeMembers(to json: inout JSONWriter) {
    json.member("stream", "\(stream)")
    switch span {
    case .batches(let store, let epoch, let from, let to):
      json.member("store", hexadecimal(store, digits: 16))
      json.member("epoch", epoch)
      json.member("from-seq", from)
      json.member("to-seq", to)
    case .time(let from, let to):
      json.member("from", from)
      json.member("to", to)
    }
    if let count { json.member("count", count) }
    json.member("reason", reason.rawValue)
    if !destinations.isEmpty {
      json.key("destinations")
      json.beginArray()
      for destination in destinations { json.string(destination) }
      json.endArray()
    }
  }
}

extension ClockDetail {
  fileprivate func writeMembers(to json: inout JSONWriter) {
    if let from { json.member("from", from.rawValue) }
    json.member("to", to.rawValue)
    json.member("boot", boot.description)
    json.member("offset", offset)
    json.member("step", step)
  }
}

extension LineDetail {
  fileprivate func writeMembers(to json: inout JSONWriter) {
    json.member("state", state.rawValue)
    if let reason { json.member("reason", reason) }
    if let count { json.member("count", count) }
    if let lost { json.member("lost", lost) }
  }
}

extension HeadcountDetail {
  fileprivate func writeMembers(to json: inout JSONWriter) {
    json.member("state", state.rawValue)
    if let count { json.member("count", count) }
    if let previous { json.member("previous", previous) }
    if let gate { json.member("gate", gate) }
    if let lostSource { json.member("lost-source", lostSource) }
    if let `operator` { json.member("operator", `operator`) }
    if let reason { json.member("reason", reason) }
  }
}
