internal import Drivers
internal import LinuxSystem
internal import Telemetry

/// Where a bus hands over what it reads: adds which definitions its points go by.
final class BusIntake: SampleSink {
  private let board: HealthBoard
  private let definitions: Monitor<UInt32>

  init(board: HealthBoard, definitions: UInt32) {
    self.board = board
    self.definitions = Monitor(definitions)
  }

  /// From now on the bus's points are described by other definitions; its own have not changed.
  func use(definitions digest: UInt32) {
    definitions.update { $0 = digest }
  }

  func accept(_ sample: Sample) {
    board.accept(sample, definitions: definitions.withLock { $0 })
  }

  func accept(_ event: Event) { board.accept(event) }
}

/// A bus at work. It is made again, ever more slowly, as long as it can't be made.
final class BusPart: Sendable {
  /// A process that may have no more threads now may have some when others have ended.
  private static let retries: [Duration] = [.seconds(1), .seconds(5), .seconds(15), .seconds(60)]

  let definition: ModbusBusDefinition
  let intake: BusIntake
  /// Whether its loop turns. The name is the bus's.
  let heartbeat: Heartbeat
  private let task: Task<Void, Never>
  private let hasEnded = Monitor(false)
  private let running: Monitor<ModbusBus?>

  init(
    _ definition: ModbusBusDefinition, board: HealthBoard, clock: any TimeSource,
    definitions: UInt32
  ) {
    self.definition = definition
    let intake = BusIntake(board: board, definitions: definitions)
    self.intake = intake
    let heartbeat = Heartbeat(name: definition.name)
    self.heartbeat = heartbeat
    let running: Monitor<ModbusBus?> = Monitor(nil)
    self.running = running
    task = Self.begin(
      Making(
        definition: definition, intake: intake, board: board, clock: clock, heartbeat: heartbeat,
        running: running),
      hasEnded)
  }

  /// What a bus is made of, each time.
  private struct Making {
    let definition: ModbusBusDefinition
    let intake: BusIntake
    let board: HealthBoard
    let clock: any TimeSource
    let heartbeat: Heartbeat
    let running: Monitor<ModbusBus?>
  }

  /// What the bus counted since it was made; `nil` while it can't be made.
  var counters: ModbusBusCounters? { running.withLock { $0?.counters } }

  private static func begin(
    _ making: Making, _ hasEnded: Monitor<Bool>
  ) -> Task<Void, Never> {
    Task.detached {
      await run(making)
      hasEnded.update { $0 = true }
    }
  }

  private static func run(_ making: Making) async {
    var attempt = 0
    while !Task.isCancelled {
      if let bus = make(making) {
        making.running.update { $0 = bus }
        await bus.run()
        making.running.update { $0 = nil }
      }
      // Cancelled while it waits, it ends at the loop's head.
      try? await Task.sleep(for: retries[min(attempt, retries.count - 1)])
      attempt += 1
    }
  }

  private static func make(_ making: Making) -> ModbusBus? {
    do throws(SystemError) {
      return try ModbusBus(
        definition: making.definition, sink: making.intake, clock: making.clock,
        heartbeat: making.heartbeat)
    } catch {
      making.board.bus(making.definition.name, failed: "\(error)")
      return nil
    }
  }

  /// Ends polling after the transaction at hand; returns at once.
  func cancel() { task.cancel() }

  /// Blocks until it has ended, at most `seconds`. One that sits in a C call is left to itself.
  func waitForEnd(atMost seconds: Double) {
    _ = hasEnded.wait(atMost: seconds) { $0 ? true : nil }
  }
}
