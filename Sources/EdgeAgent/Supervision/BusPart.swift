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
final class BusPart {
  /// A process that may have no more threads now may have some when others have ended.
  private static let retries: [Duration] = [.seconds(1), .seconds(5), .seconds(15), .seconds(60)]

  let definition: ModbusBusDefinition
  let intake: BusIntake
  private let task: Task<Void, Never>
  private let hasEnded = Monitor(false)

  init(
    _ definition: ModbusBusDefinition, board: HealthBoard, clock: any TimeSource,
    definitions: UInt32
  ) {
    self.definition = definition
    let intake = BusIntake(board: board, definitions: definitions)
    self.intake = intake
    let hasEnded = hasEnded
    task = Task.detached {
      var attempt = 0
      while !Task.isCancelled {
        do throws(SystemError) {
          let bus = try ModbusBus(definition: definition, sink: intake, clock: clock)
          await bus.run()
        } catch {
          board.bus(definition.name, failed: "\(error)")
        }
        try? await Task.sleep(for: Self.retries[min(attempt, Self.retries.count - 1)])
        attempt += 1
      }
      hasEnded.update { $0 = true }
    }
  }

  /// Ends polling after the transaction at hand; returns at once.
  func cancel() { task.cancel() }

  /// Blocks until it has ended, at most `seconds`. One that sits in a C call is left to itself.
  func waitForEnd(atMost seconds: Double) {
    _ = hasEnded.wait(atMost: seconds) { $0 ? true : nil }
  }
}
