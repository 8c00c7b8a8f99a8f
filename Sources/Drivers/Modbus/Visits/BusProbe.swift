public import Telemetry

/// Reads every point of some devices of a bus once. Asks as the bus does, a request for neighbours,
/// and its parts where a device declines it. Pure.
public struct BusProbe: Sendable, Hashable {
  /// Questions to a unit that may go without an answer; the rest of its points are not asked then.
  static let toleratedTimeouts = 2
  /// What is taken down of the wire: a unit's every register in some ten thousand events.
  static let mostEvents = 20_000

  /// What became of a point.
  public struct Reading: Sendable, Hashable {
    /// The device's configured name.
    public var device: String
    /// Index into the device's points.
    public var point: Int
    /// The registers as they came, or a bit as 0 or 1; `nil` if none came.
    public var registers: [UInt16]?
    /// Its value, or why it has none.
    public var outcome: Outcome
    /// What its transaction took; `nil` if it was not asked.
    public var microseconds: Int64?
    /// What went wrong, in words.
    public var problem: String?
  }

  private struct Job: Sendable, Hashable {
    var device: Int
    var request: PlannedRequest
  }

  private let devices: [ModbusDevice]
  private let timings: UnitTimings
  private let isSerial: Bool
  /// Those still to be asked, the next one last.
  private var jobs: [Job] = []
  private var current: Job?
  private var timeouts: [UInt8: Int] = [:]
  private var events = 0
  private var done = 0

  let isTraced: Bool
  /// What is known so far, by the configured order of devices and points.
  public var readings: [Reading] {
    found.sorted { ($0.place, $0.reading.point) < ($1.place, $1.reading.point) }.map(\.reading)
  }
  private var found: [Found] = []
  /// What went over the wire, in order; empty unless it is traced.
  public private(set) var transactions: [TracedTransaction] = []
  /// Whether more went over the wire than is kept.
  public private(set) var isTraceCut = false

  private struct Found: Sendable, Hashable {
    var place: Int
    var reading: Reading
  }

  /// A probe of the devices of a bus that are named.
  public init(_ definition: ModbusBusDefinition, devices names: Set<String>, isTraced: Bool) {
    devices = definition.devices
    timings = UnitTimings(definition)
    isSerial = definition.endpoint.framesAsRTU
    self.isTraced = isTraced
    for (index, device) in BusPlan(definition).devices.enumerated().reversed()
    where names.contains(device.name) {
      jobs += device.requests.reversed().map { Job(device: index, request: $0) }
    }
  }

  var progress: BusErrand.Progress {
    let left = jobs.count + (current == nil ? 0 : 1)
    return BusErrand.Progress(done: done, total: done + left)
  }

  mutating func next() -> VisitQuestion? {
    while let job = jobs.popLast() {
      guard timeouts[job.request.unit, default: 0] < Self.toleratedTimeouts else {
        let problem = "not asked: unit \(job.request.unit) left other questions without an answer"
        add(.offline, to: job, nil, problem)
        done += 1
        continue
      }
      current = job
      let timing = timings[job.request.unit]
      return VisitQuestion(
        request: job.request, timeoutMilliseconds: timing.timeoutMilliseconds,
        pauseMilliseconds: timing.pauseMilliseconds)
    }
    return nil
  }

  mutating func take(_ outcome: VisitOutcome, of question: VisitQuestion) {
    guard let job = current else { return }
    current = nil
    trace(outcome, of: question)
    done += 1
    let unit = job.request.unit
    if case .failure(.timeout) = outcome.result {
      timeouts[unit, default: 0] += 1
    } else {
      timeouts[unit] = nil
    }
    if case .success(.values(let words)) = outcome.result {
      return add(words, to: job, outcome.microseconds)
    }
    if case .success(.exception(let code)) = outcome.result, [2, 3].contains(code),
      let parts = RequestPlanner.parts(of: job.request, in: devices[job.device])
    {
      jobs += parts.reversed().map { Job(device: job.device, request: $0) }
      return
    }
    add(
      outcome.result.badReason ?? .badAnswer, to: job, outcome.microseconds,
      outcome.result.words(timeoutMilliseconds: question.timeoutMilliseconds))
  }

  mutating func fail(_ reason: BadReason, _ text: String) {
    if let current { jobs.append(current) }
    current = nil
    while let job = jobs.popLast() {
      add(reason, to: job, nil, text)
      done += 1
    }
  }

  private mutating func add(_ words: [UInt16], to job: Job, _ microseconds: Int64) {
    let device = devices[job.device]
    for index in job.request.points {
      let point = device.points[index]
      let start = Int(point.address) - Int(job.request.address)
      let registers = words[start..<start + point.type.addressCount]
      let reading = Reading(
        device: device.name, point: index, registers: Array(registers),
        outcome: RegisterDecoder(point).outcome(of: registers), microseconds: microseconds)
      found.append(Found(place: job.device, reading: reading))
    }
  }

  private mutating func add(
    _ reason: BadReason, to job: Job, _ microseconds: Int64?, _ problem: String
  ) {
    for index in job.request.points {
      let reading = Reading(
        device: devices[job.device].name, point: index, registers: nil, outcome: .bad(reason),
        microseconds: microseconds, problem: problem)
      found.append(Found(place: job.device, reading: reading))
    }
  }

  private mutating func trace(_ outcome: VisitOutcome, of question: VisitQuestion) {
    guard isTraced else { return }
    guard events < Self.mostEvents else {
      isTraceCut = true
      return
    }
    events += outcome.trace.count + 1
    transactions.append(TracedTransaction(outcome, of: question, isSerial: isSerial))
  }
}
