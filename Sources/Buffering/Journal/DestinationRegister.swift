internal import LinuxSystem
internal import Telemetry

/// Where the delivery to a new destination begins.
public enum DestinationBeginning: Sendable, Hashable {
  /// What is kept already is not for it.
  case live
  /// What is not older than this, in milliseconds.
  case age(milliseconds: Int64)
  /// The oldest that is kept.
  case everything
}

/// A destination that is not configured any more and still holds what it has not acknowledged.
public struct RemovedDestination: Sendable, Hashable {
  /// The name that it was configured by.
  public var name: DestinationName
  /// For how long it goes on, in milliseconds, while the board runs.
  public var remainingMilliseconds: Int64
}

/// Who has a cursor: the destinations that are configured, and those that were. A value; the
/// cursors' contents stand in the streams' indexes.
struct DestinationRegister {
  /// Names that come and go faster than their time runs out are a mistake: the oldest go.
  static let mostRemoved = 16

  /// Those that are configured.
  var active: [DestinationName]
  /// Those that were, and for how long they have not been.
  var removed: [DestinationName: Cursor.Removal] = [:]
  /// Those that have no cursor yet.
  var newcomers: [DestinationName] = []
  /// Those of which no event has told yet what was passed over for them.
  var untold: Set<DestinationName> = []
  /// New ones whose cursor is not durable yet: a start would take them for new once more, and pass
  /// over what was kept for them meanwhile.
  var unsaved: Set<DestinationName> = []
  /// Removed ones of which an event tells, or will as soon as one can be kept.
  var expiring: Set<DestinationName> = []
  /// Where newcomers begin.
  var beginnings: [DestinationName: DestinationBeginning]
  let keepRemovedMilliseconds: Int64
  /// When the time of removed ones was last saved, by the monotonic clock.
  var removalsSavedAt: Int64

  /// Reads all cursors there are; tells what each destination has acknowledged. A cursor that can't
  /// be read counts as nothing acknowledged: repeats, never loss.
  static func load(
    _ settings: JournalSettings, from files: inout CursorFiles, at monotonic: Int64
  ) -> (DestinationRegister, acknowledged: [DestinationName: [StreamName: AckSet]]) {
    var register = DestinationRegister(
      active: settings.destinations, beginnings: settings.beginnings,
      keepRemovedMilliseconds: settings.keepRemovedMilliseconds, removalsSavedAt: monotonic)
    var acknowledged: [DestinationName: [StreamName: AckSet]] = [:]
    for name in settings.destinations {
      let found = files.load(name)
      acknowledged[name] = found.sets
      switch found {
      case .nothing: register.newcomers.append(name)
      case .cursor(let cursor) where cursor.standing == .untold: register.untold.insert(name)
      case .cursor, .unreadable: break
      }
    }
    // Where the folder can't be read, nobody holds anything back; the cursors stay.
    let others = Set((try? files.names()) ?? []).subtracting(settings.destinations)
    for name in others {
      let found = files.load(name)
      acknowledged[name] = found.sets
      var removal = Cursor.Removal(elapsed: 0, countedAt: monotonic, boot: settings.boot)
      if case .cursor(let cursor) = found, case .removed(let before) = cursor.standing {
        removal = before.counted(at: monotonic, of: settings.boot)
      }
      register.removed[name] = removal
    }
    return (register, acknowledged)
  }

  /// Those whose time is over.
  func expired(at monotonic: Int64, of boot: BootID) -> [DestinationName] {
    let oldestFirst = removed.sorted {
      ($1.value.elapsed(at: monotonic, of: boot), $0.key.description)
        < ($0.value.elapsed(at: monotonic, of: boot), $1.key.description)
    }
    let surplus = max(0, oldestFirst.count - Self.mostRemoved)
    return oldestFirst.enumerated().filter { place, entry in
      place < surplus || entry.value.elapsed(at: monotonic, of: boot) >= keepRemovedMilliseconds
    }.map(\.element.key)
  }

  /// What is said of the removed ones.
  func listed(at monotonic: Int64, of boot: BootID) -> [RemovedDestination] {
    removed.map { name, removal in
      let left = keepRemovedMilliseconds - removal.elapsed(at: monotonic, of: boot)
      return RemovedDestination(name: name, remainingMilliseconds: max(0, left))
    }.sorted { $0.name.description < $1.name.description }
  }
}

extension CursorFiles.Found {
  fileprivate var sets: [StreamName: AckSet] {
    if case .cursor(let cursor) = self { cursor.sets } else { [:] }
  }
}
