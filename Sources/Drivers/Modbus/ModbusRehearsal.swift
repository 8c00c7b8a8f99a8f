public import Telemetry

/// A Modbus TCP bus without its wire: it plans, asks and takes answers as `ModbusBus` does, on the
/// caller's thread and clock, step by step. For measuring what each step costs.
public struct ModbusRehearsal {
  /// A request whose turn it is.
  public struct Request {
    fileprivate let turn: ModbusBusStateMachine.Turn
    fileprivate let transaction: UInt16

    /// What is asked.
    public var planned: PlannedRequest { turn.request }

    /// The request as it goes over the wire.
    public var frame: [UInt8] {
      let request = turn.request
      return ModbusTCPFrame(
        transaction: transaction, unit: request.unit, pdu: request.readRequest.pdu
      ).bytes
    }

    /// Takes the answer off `received` and reads its registers, or bits as 0 and 1; `nil` for
    /// anything but a good and complete answer to this request.
    public func registers(from received: inout [UInt8]) -> [UInt16]? {
      let request = turn.request
      guard let frame = try? ModbusTCPFrame.take(from: &received),
        case .values(let words) = try? frame.answer(
          to: request.readRequest, transaction: transaction, unit: request.unit)
      else { return nil }
      return words
    }
  }

  private var state: ModbusBusStateMachine
  private var transactions = TransactionCounter()

  /// A bus that is connected and polls everything for the first time at `now`.
  public init(_ definition: ModbusBusDefinition, at now: Timestamp) {
    state = ModbusBusStateMachine(definition, start: now.monotonic, spreads: false)
    state.connected(at: now)
  }

  /// The next request that is due at `now`; `nil` while none is.
  public mutating func nextRequest(at now: Timestamp) -> Request? {
    guard case .ask(let turn) = state.next(at: now) else { return nil }
    return Request(turn: turn, transaction: transactions.next())
  }

  /// Takes the registers that answered `request` at `now`, and hands over what comes of them.
  public mutating func take(
    _ registers: [UInt16], for request: Request, at now: Timestamp, into sink: some SampleSink
  ) {
    state.finish(request.turn, with: .success(.values(registers)), at: now)
    for report in state.takeReports() {
      switch report {
      case .sample(let sample): sink.accept(sample)
      case .event(let event): sink.accept(event)
      }
    }
  }
}
