internal import Drivers
internal import Uplink

/// What a reload has to do. Pure: compares what runs with what is wanted.
struct ConfigurationDifference: Equatable {
  /// Keys whose change takes a restart; if there are any, nothing is reloaded.
  var needsRestart: [String] = []
  /// Names of buses that end, because they are gone or different.
  var endingBuses: Set<String> = []
  /// Names of buses that begin.
  var beginningBuses: Set<String> = []
  /// Names of lines that begin; those that end are told by what is there then.
  var beginningLines: Set<String> = []
  /// Names of areas that begin; likewise.
  var beginningAreas: Set<String> = []
  /// Names of destinations that end.
  var endingUplinks: Set<String> = []
  /// Names of destinations that begin.
  var beginningUplinks: Set<String> = []

  init() {}

  init(from old: AgentConfiguration, to new: AgentConfiguration) {
    // The gateway's id names every batch; the store is opened once and holds a lock.
    if old.gateway.id != new.gateway.id { needsRestart.append("gateway.id") }
    if old.storage.directory != new.storage.directory { needsRestart.append("storage.directory") }
    if old.storage.dataBytes != new.storage.dataBytes { needsRestart.append("storage.data.size") }
    if old.storage.commitMilliseconds != new.storage.commitMilliseconds {
      needsRestart.append("storage.data.commit")
    }
    if old.storage.eventBytes != new.storage.eventBytes {
      needsRestart.append("storage.events.size")
    }
    if old.storage.keepRemovedMilliseconds != new.storage.keepRemovedMilliseconds {
      needsRestart.append("storage.keep-removed")
    }
    if old.controlSocket != new.controlSocket { needsRestart.append("control.socket") }

    let buses = Self.changes(old.buses, new.buses) { $0.name }
    (endingBuses, beginningBuses) = (buses.ending, buses.beginning)
    beginningLines = Self.changes(old.lines, new.lines) { $0.name }.beginning
    beginningAreas = Self.changes(old.areas, new.areas) { $0.name }.beginning
    let uplinks = Self.changes(old.uplinks, new.uplinks) { $0.name }
    (endingUplinks, beginningUplinks) = (uplinks.ending, uplinks.beginning)
  }

  private static func changes<Part: Equatable>(
    _ old: [Part], _ new: [Part], name: (Part) -> String
  ) -> (ending: Set<String>, beginning: Set<String>) {
    (
      Set(old.filter { !new.contains($0) }.map(name)),
      Set(new.filter { !old.contains($0) }.map(name))
    )
  }
}
