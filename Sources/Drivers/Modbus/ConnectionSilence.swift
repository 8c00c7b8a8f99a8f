/// Tells when nothing at all answers on a connection, so that a new one may help. One silent unit
/// is its own trouble, and the others would lose time over a new connection; but a gateway that
/// restarted behind a firewall looks like all units falling silent, and only a new connection heals
/// that.
struct ConnectionSilence: Sendable, Hashable {
  /// Questions in a row without any answer after which the connection itself is doubted.
  static let tolerated = 3
  /// Silence after which it is doubted although some unit was not asked meanwhile: longer than the
  /// longest pause between two questions to a unit that is backed off.
  static let longest: Int64 = 30_000

  /// A serial port is opened anew only after long silence: that heals settings that another program
  /// changed, and nothing else.
  private let isSerial: Bool
  private var silentUnits: Set<UInt8> = []
  private var timeoutsInARow = 0
  private var lastSignOfLife = Int64.min

  /// Watches the connection of a bus.
  init(_ definition: ModbusBusDefinition) {
    if case .rtu = definition.endpoint { isSerial = true } else { isSerial = false }
  }

  /// An answer came, or the connection was made, at `now` (monotonic milliseconds).
  mutating func recordSignOfLife(at now: Int64) {
    silentUnits = []
    timeoutsInARow = 0
    lastSignOfLife = now
  }

  /// A question to `unit` went without an answer.
  mutating func recordTimeout(of unit: UInt8) {
    silentUnits.insert(unit)
    timeoutsInARow += 1
  }

  /// Whether the connection is to be replaced, `backoffs` being those of the bus's units.
  func isDoubtful(at now: Int64, _ backoffs: [UInt8: UnitBackoff]) -> Bool {
    guard timeoutsInARow >= Self.tolerated else { return false }
    if now - lastSignOfLife >= Self.longest { return true }
    return !isSerial
      && backoffs.allSatisfy { silentUnits.contains($0.key) || $0.value.isBackedOff }
  }
}
