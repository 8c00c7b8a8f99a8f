internal import ConfigurationFile
internal import Drivers

extension BusManners {
  /// What a pause may be: a longer one belongs into `every`, and a stop waits for it.
  static let pauses: ClosedRange<Int64> = 0...1_000
  /// What a device may need before it answers, beyond its bus's time-out.
  static let turnarounds: ClosedRange<Int64> = 0...10_000
  private static let pausesAfterConnect: ClosedRange<Int64> = 0...10_000
  private static let connectTimeouts: ClosedRange<Int64> = 100...60_000
  /// Less than a second would connect anew for every request.
  private static let idleTimeouts: ClosedRange<Int64> = 1_000...86_400_000
  private static let keepAlives: ClosedRange<Int64> = 0...3_600_000

  /// Decodes a bus's keys; `nil` after a problem.
  init?(_ bus: MappingReader, isSerial: Bool) {
    self.init()
    let pause = bus.take("pause").map { $0.duration(in: Self.pauses) } ?? 0
    let afterConnect =
      bus.take("pause-after-connect").map { $0.duration(in: Self.pausesAfterConnect) } ?? 0
    func takeOverTCP(_ key: String) -> ConfigurationValue? {
      guard let value = bus.take(key) else { return nil }
      guard isSerial else { return value }
      value.refuse(
        "a serial port has no connection", "it is expected with tcp or rtu-over-tcp only")
      return nil
    }
    let connect =
      takeOverTCP("connect-timeout").map { $0.duration(in: Self.connectTimeouts) }
      ?? connectTimeoutMilliseconds
    let idle = Setting(takeOverTCP("idle-timeout")) { $0.duration(in: Self.idleTimeouts) }
    let keepAlive = takeOverTCP("keep-alive").map(Self.keepAlive) ?? keepAliveMilliseconds
    let closes = takeOverTCP("close-after-cycle").map { $0.boolean() } ?? false
    if closes == true, let place = idle.place {
      place.refuse("close-after-cycle closes the connection sooner", "one of the two is expected")
    }
    guard let pause, let afterConnect, let connect, let keepAlive, let closes else { return nil }
    if case .refused = idle { return nil }
    pauseMilliseconds = pause
    pauseAfterConnectMilliseconds = afterConnect
    connectTimeoutMilliseconds = connect
    idleTimeoutMilliseconds = idle.value
    keepAliveMilliseconds = keepAlive == 0 ? nil : keepAlive
    closesAfterCycle = closes
  }

  private static func keepAlive(_ value: ConfigurationValue) -> Int64? {
    guard let time = value.duration(in: keepAlives) else { return nil }
    guard time.isMultiple(of: 1000) else {
      value.refuse(
        "\(durationText(milliseconds: time)) is no whole number of seconds",
        "the kernel counts in seconds: such as 10s is expected")
      return nil
    }
    return time
  }

  /// What differs from the defaults, as it is written; for `check`.
  var words: [String] {
    let usual = BusManners()
    var words: [String] = []
    func add(_ key: String, _ milliseconds: Int64, _ usual: Int64) {
      if milliseconds != usual { words.append("\(key) \(AgentPlan.duration(milliseconds))") }
    }
    add("connect-timeout", connectTimeoutMilliseconds, usual.connectTimeoutMilliseconds)
    add("pause-after-connect", pauseAfterConnectMilliseconds, 0)
    add("pause", pauseMilliseconds, 0)
    if let idleTimeoutMilliseconds {
      words.append("idle-timeout \(AgentPlan.duration(idleTimeoutMilliseconds))")
    }
    if keepAliveMilliseconds != usual.keepAliveMilliseconds {
      words.append(
        keepAliveMilliseconds.map { "keep-alive \(AgentPlan.duration($0))" } ?? "no keep-alive")
    }
    if closesAfterCycle { words.append("close-after-cycle") }
    return words
  }
}
