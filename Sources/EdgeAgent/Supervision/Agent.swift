internal import Buffering
internal import Drivers
internal import Glibc
internal import LinuxSystem
internal import Telemetry
internal import Uplink

/// Why the agent could not start.
enum AgentError: Error, CustomStringConvertible {
  /// Another agent holds the store.
  case storeHeld(StoreLockError)
  /// The system refused what no agent can do without, such as a thread.
  case system(SystemError)

  var description: String {
    switch self {
    case .storeHeld(let error): error.description
    case .system(let error): error.description
    }
  }
}

/// The running parts: field side, journal, destinations. One direction: buses put into the ring,
/// the writer takes from it, destinations read the journal.
final class Agent {
  /// What RAM a store that can't use its disk may take: minutes of a mine's data, on boards that
  /// have 256 MiB.
  private static let memoryStoreBytes = 8 << 20
  /// An orderly stop takes at most 2 s in all; each of its steps has its share.
  private static let busStopSeconds = 0.4
  private static let flushSeconds = 0.5
  private static let uplinkStopMilliseconds = 700
  private static let sealSeconds = 0.3

  private let clock: any TimeSource
  private let board: HealthBoard
  private let writer: JournalWriter
  private let buses: [ModbusBus]
  private let uplinks: [Uplink]
  private var polling: [Task<Void, Never>] = []
  private let running: Monitor<Int>

  /// Opens the store and makes all parts; nothing runs yet.
  init(_ configuration: AgentConfiguration, clock: any TimeSource) throws(AgentError) {
    self.clock = clock
    let ring = SampleRing()
    board = HealthBoard(configuration: configuration, ring: ring, clock: clock)
    let boot = Self.bootID()
    let settings = JournalSettings(configuration, boot: boot)
    writer = try Self.openJournal(settings, ring: ring, clock: clock, board: board)
    do throws(SystemError) {
      var buses: [ModbusBus] = []
      for definition in configuration.buses {
        buses.append(try ModbusBus(definition: definition, sink: board, clock: clock))
      }
      self.buses = buses
      var uplinks: [Uplink] = []
      for uplink in configuration.uplinks {
        let settings = UplinkSettings(uplink, gateway: configuration.gateway.id)
        uplinks.append(
          try Uplink(
            settings: settings, log: writer.journal, health: board, clock: clock, boot: boot,
            observer: board))
      }
      self.uplinks = uplinks
    } catch {
      throw .system(error)
    }
    running = Monitor(buses.count)
    let healthReaders = uplinks
    board.onChange {
      for uplink in healthReaders { uplink.healthChanged() }
    }
  }

  private static func openJournal(
    _ settings: JournalSettings, ring: SampleRing, clock: any TimeSource, board: HealthBoard
  ) throws(AgentError) -> JournalWriter {
    do throws(JournalError) {
      return try JournalWriter.open(settings, ring: ring, clock: clock, observer: board)
    } catch {
      switch error {
      case .lock(.held): throw .storeHeld(.held(directory: settings.directory, pid: error.pid))
      case .lock, .storage:
        // A broken disk must not silence the mine: deliver from memory, and say so.
        board.store(changedTo: "\(error)")
      }
    }
    do throws(JournalError) {
      return try JournalWriter.inMemory(
        settings, bytes: memoryStoreBytes, ring: ring, clock: clock, observer: board)
    } catch {
      throw .system(SystemError(call: "open", subject: "\(error)", code: ENOMEM))
    }
  }

  /// The kernel's id of this boot; a random one where /proc is not mounted.
  private static func bootID() -> BootID {
    guard let file = fopen("/proc/sys/kernel/random/boot_id", "re") else {
      return BootID(rawValue: .random(in: .min ... .max))
    }
    defer { fclose(file) }
    var text = [UInt8](repeating: 0, count: 8)
    guard fread(&text, 1, text.count, file) == text.count,
      let number = UInt32(String(decoding: text, as: UTF8.self), radix: 16)
    else { return BootID(rawValue: .random(in: .min ... .max)) }
    return BootID(rawValue: number)
  }

  /// Starts all parts.
  func start() throws(AgentError) {
    do throws(SystemError) {
      try writer.start()
      for uplink in uplinks { try uplink.start() }
    } catch {
      throw .system(error)
    }
    let running = running
    polling = buses.map { bus in
      Task.detached {
        await bus.run()
        running.update { $0 -= 1 }
      }
    }
    Log.notice(
      "store \(hexadecimal(writer.journal.store, digits: 16)), epoch \(writer.journal.epoch), "
        + "\(buses.count) buses, \(uplinks.count) destinations")
  }

  /// Stops in order: no new readings, everything appended and synced, what is fresh delivered,
  /// cursors saved. Blocks for 2 s at most; returns whether every step was done in its time.
  func stop(reason: String) -> Bool {
    for task in polling { task.cancel() }
    // A bus that sits in a transaction is left to itself: its answer would come too late anyway.
    _ = running.wait(atMost: Self.busStopSeconds) { $0 == 0 ? true : nil }
    let isFlushed = writer.flush(within: Self.flushSeconds, reason: reason)
    for uplink in uplinks { uplink.stop(withinMilliseconds: Self.uplinkStopMilliseconds) }
    let areStopped = uplinks.map {
      $0.waitForEnd(atMostMilliseconds: Self.uplinkStopMilliseconds)
    }
    let isSealed = writer.seal(within: Self.sealSeconds)
    return isFlushed && isSealed && areStopped.allSatisfy { $0 }
  }
}

extension JournalError {
  /// The process that holds the store, where that is the error and it is known.
  fileprivate var pid: Int? {
    if case .lock(.held(_, let pid)) = self { pid } else { nil }
  }
}
