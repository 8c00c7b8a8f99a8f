internal import Buffering
internal import LinuxSystem
internal import Uplink

/// What one uplink tells of its destination, until another one stands in for it. A reload leaves an
/// uplink behind that hangs, say in the resolver; what that one tells at last is not true of the
/// other, which would not speak up against it.
final class DestinationReports: UplinkObserver {
  private let board: HealthBoard
  private let isOver = Monitor(false)

  init(board: HealthBoard) { self.board = board }

  /// From now on what the uplink tells counts no more.
  func end() { isOver.withLock { $0 = true } }

  func destination(_ name: DestinationName, changedTo fault: String?) {
    // Under the lock: once `end` returns, nothing is on its way any more.
    isOver.withLock { isOver in
      if !isOver { board.destination(name, changedTo: fault) }
    }
  }
}
