internal import LinuxSystem

/// Looks up the host of a bus without waiting longer than the bus may: the system's resolver takes
/// minutes where no name server answers, and can't be interrupted. It works on a thread of its own;
/// one question is under way at most, and whoever asks again waits for the same.
final class HostLookup: Sendable {
  /// How long an attempt to connect waits for an answer: as long as for the connection itself.
  static let timeout: Duration = .seconds(2)

  typealias Answer = Result<[String], ConnectError>

  private enum State {
    case idle
    case underWay
    case answered(Answer)
  }

  private let state = Monitor(State.idle)
  private let resolve: @Sendable (String) -> Answer

  /// A lookup by the system's resolver; a test may have another.
  init(resolve: @escaping @Sendable (String) -> Answer = HostLookup.systemAnswer) {
    self.resolve = resolve
  }

  /// The numeric addresses of `host`, which is always the same; a numeric one is not looked up.
  func addresses(
    of host: String, within timeout: Duration = timeout
  ) throws(ConnectError) -> [String] {
    if let address = numericAddress(host) { return [address] }
    try begin(host)
    let answer: Answer? = state.wait(atMost: timeout / .seconds(1)) { state in
      guard case .answered(let answer) = state else { return nil }
      // The next attempt asks anew.
      state = .idle
      return answer
    }
    guard let answer else {
      throw .unresolved(host: host, reason: "no answer from the resolver yet")
    }
    return try answer.get()
  }

  private func begin(_ host: String) throws(ConnectError) {
    let isNew = state.withLock { state in
      guard case .idle = state else { return false }
      state = .underWay
      return true
    }
    guard isNew else { return }
    // The thread holds what it needs and no more: the bus may have ended when the answer comes.
    let (state, resolve) = (state, resolve)
    do throws(SystemError) {
      try Thread.start(named: "lookup") {
        let answer = resolve(host)
        state.update { $0 = .answered(answer) }
      }
    } catch {
      state.update { $0 = .idle }
      throw .failed(error)
    }
  }

  private static let systemAnswer: @Sendable (String) -> Answer = { host in
    Answer { () throws(ConnectError) in try resolvedAddresses(ofHost: host) }
  }
}
