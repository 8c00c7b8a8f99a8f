internal import Telemetry

/// All slaves and faults of a scenario, without a wire or a clock: what becomes of a request.
struct Mine: Sendable {
  let scenario: Scenario
  private let slaves: [Slave]
  private let devices: [Address: Int]

  private struct Address: Hashable {
    var station: Int
    var unit: UInt8
  }

  init(_ scenario: Scenario) {
    self.scenario = scenario
    slaves = scenario.devices.enumerated().map { index, device in
      Slave(device: index, name: device.name, points: device.points, seed: scenario.seed)
    }
    devices = Dictionary(
      scenario.devices.enumerated().map { index, device in
        (Address(station: device.station, unit: device.unit), index)
      }, uniquingKeysWith: { first, _ in first })
  }

  /// A request that was taken, and how it will be answered.
  struct Pending: Sendable, Hashable {
    var frame: Frame
    var device: Int
    var fault: Fault.Kind?
    /// Milliseconds until the answer: the slave's own delay and what a fault adds.
    var delay: Int64
  }

  /// What happens to a request when it arrives.
  enum Reception: Sendable, Hashable {
    /// No such unit: nothing happens, as on a line behind a gateway.
    case nobody
    /// The unit keeps silent by the scenario's will.
    case silence(TruthRecord)
    case pending(Pending)
  }

  /// Takes a request that arrives at a station `milliseconds` after the start.
  func receive(_ frame: Frame, station: Int, at milliseconds: Int64) -> Reception {
    guard let device = devices[Address(station: station, unit: frame.unit)] else { return .nobody }
    let fault = scenario.faults.befalling(device: device, station: station, at: milliseconds)
    var delay = scenario.devices[device].delayMilliseconds
    switch fault {
    case .silent: return .silence(TruthRecord(device: device, outcome: .fault("silent")))
    case .late(let by): delay += by
    case .exception, .cut, .refuse, nil: break
    }
    return .pending(Pending(frame: frame, device: device, fault: fault, delay: delay))
  }

  /// What goes over the wire, and what the ground truth is to say once it has gone.
  struct Response: Sendable, Hashable {
    var bytes: [UInt8]
    /// The connection closes, or the serial port goes away for a while.
    var closesConnection = false
    var record: TruthRecord
  }

  /// Answers a pending request: the values are those of `milliseconds`, the moment of answering.
  func respond(to pending: Pending, at milliseconds: Int64) -> Response {
    let device = pending.device
    if case .exception(let code) = pending.fault {
      return refusal(of: pending, ModbusException(code: code))
    }
    do throws(ModbusException) {
      let answer = try slaves[device].answer(pdu: pending.frame.pdu, at: milliseconds)
      let bytes = pending.frame.answer(answer.pdu).bytes
      if pending.fault == .cut {
        // Half of it: enough for a reader to see the header and wait for the rest.
        return Response(
          bytes: Array(bytes.prefix(bytes.count / 2)), closesConnection: true,
          record: TruthRecord(device: device, outcome: .fault("cut")))
      }
      var late: Int64?
      if case .late(let by) = pending.fault { late = by }
      return Response(
        bytes: bytes,
        record: TruthRecord(device: device, outcome: .values(answer.values, late: late)))
    } catch {
      return refusal(of: pending, error)
    }
  }

  private func refusal(of pending: Pending, _ exception: ModbusException) -> Response {
    let function = pending.frame.pdu.first ?? 0
    return Response(
      bytes: pending.frame.answer(exception.answer(to: function)).bytes,
      record: TruthRecord(
        device: pending.device, outcome: .fault("exception-\(exception.code)")))
  }
}
