/// One client's request and its answer. Pure: is told what arrived and what could be sent, and says
/// what is to be done.
struct ControlExchange {
  /// What the connection waits for.
  enum Phase: Equatable {
    case request
    /// `rest` is still to be sent.
    case answer(rest: ArraySlice<UInt8>)
    case over
  }

  private(set) var phase = Phase.request
  /// When it is given up.
  private(set) var deadline: ContinuousClock.Instant
  private var received: [UInt8] = []

  init(start: ContinuousClock.Instant) {
    deadline = start + .seconds(ControlProtocol.seconds)
  }

  /// Takes what the client sent; nothing for its end. Once the request is complete `answer` is
  /// asked for.
  mutating func take(
    _ bytes: some Collection<UInt8>, at now: ContinuousClock.Instant,
    _ answer: (ControlRequest) throws(ControlRefusal) -> [UInt8]
  ) {
    guard phase == .request else { return }
    guard !bytes.isEmpty else {
      phase = .over
      return
    }
    let lineEnd = bytes.firstIndex(of: UInt8(ascii: "\n"))
    let line = bytes[..<(lineEnd ?? bytes.endIndex)]
    guard received.count + line.count <= ControlProtocol.largestRequest else {
      refuse(.tooLarge, "a request has at most \(ControlProtocol.largestRequest) bytes", at: now)
      return
    }
    received.append(contentsOf: line)
    guard lineEnd != nil else { return }
    do throws(ControlRefusal) {
      let answer = try answer(try ControlRequest(received))
      send(answer + [UInt8(ascii: "\n")], at: now)
    } catch {
      send(ControlProtocol.answer(error), at: now)
    }
  }

  /// Answers with an error instead, if there is no answer yet.
  mutating func refuse(
    _ word: ControlRefusal.Word, _ text: String, at now: ContinuousClock.Instant
  ) {
    guard phase == .request else { return }
    send(ControlProtocol.answer(ControlRefusal(word, text)), at: now)
  }

  /// The client took `count` bytes of the answer.
  mutating func sent(_ count: Int) {
    guard case .answer(let rest) = phase else { return }
    phase = count < rest.count ? .answer(rest: rest.dropFirst(count)) : .over
  }

  /// The time is over: whoever has not asked yet is told so, whoever does not take the answer is
  /// left.
  mutating func expire(at now: ContinuousClock.Instant) {
    guard now >= deadline else { return }
    if phase == .request {
      refuse(.tooSlow, "a request line arrives within \(ControlProtocol.seconds) s", at: now)
    } else {
      phase = .over
    }
  }

  /// Ends it, whatever it waits for.
  mutating func end() { phase = .over }

  private mutating func send(_ answer: [UInt8], at now: ContinuousClock.Instant) {
    received = []
    phase = .answer(rest: answer[...])
    deadline = now + .seconds(ControlProtocol.seconds)
  }
}
