/// A request or an answer with its framing.
enum Frame: Sendable, Hashable {
  case tcp(TCPFrame)
  case rtu(RTUFrame)

  var unit: UInt8 {
    switch self {
    case .tcp(let frame): frame.unit
    case .rtu(let frame): frame.unit
    }
  }

  /// Function code and data.
  var pdu: [UInt8] {
    switch self {
    case .tcp(let frame): frame.pdu
    case .rtu(let frame): frame.pdu
    }
  }

  /// The frame as it goes over the wire.
  var bytes: [UInt8] {
    switch self {
    case .tcp(let frame): frame.bytes
    case .rtu(let frame): frame.bytes
    }
  }

  /// The frame that carries `pdu` back to whoever sent this one.
  func answer(_ pdu: [UInt8]) -> Frame {
    switch self {
    case .tcp(let frame):
      .tcp(TCPFrame(transaction: frame.transaction, unit: frame.unit, pdu: pdu))
    case .rtu(let frame): .rtu(RTUFrame(unit: frame.unit, pdu: pdu))
    }
  }
}
