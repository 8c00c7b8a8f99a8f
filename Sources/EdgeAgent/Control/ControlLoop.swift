internal import Glibc
internal import LinuxSystem

/// What the control socket's thread does, round after round.
struct ControlLoop {
  /// Clients at the same time. Whoever comes beyond takes the place of the one that has been there
  /// longest without asking, so that clients that say nothing keep nobody out.
  static let mostClients = 8
  /// After a failure to listen; the directory may appear with the next service that starts.
  private static let retries: [Duration] = [.seconds(1), .seconds(2), .seconds(5), .seconds(10)]
  /// How often to look whether the socket's file is still there.
  private static let lookEvery = Duration.seconds(5)
  /// Out of descriptors, poll would report the same client again at once.
  private static let acceptPause = Duration.seconds(1)

  private final class Client {
    let descriptor: Int32
    var exchange: ControlExchange

    init(_ descriptor: Int32, start: ContinuousClock.Instant) {
      self.descriptor = descriptor
      exchange = ControlExchange(start: start)
    }

    deinit { close(descriptor) }

    var isAsking: Bool { exchange.phase == .request }
    var isOver: Bool { exchange.phase == .over }
  }

  private let path: String
  private let stop: EventFD
  private let responder: any ControlResponder
  private let observer: @Sendable (String?) -> Void
  private var listener: ControlListener?
  /// Oldest first.
  private var clients: [Client] = []
  private var failures = 0
  /// When to try to listen again, or to look whether the socket is still in its place.
  private var nextLook = ContinuousClock.now
  private var acceptsFrom = ContinuousClock.now
  private var chunk = [UInt8](repeating: 0, count: 16 << 10)

  init(
    path: String, stop: EventFD, responder: any ControlResponder,
    observer: @escaping @Sendable (String?) -> Void
  ) {
    self.path = path
    self.stop = stop
    self.responder = responder
    self.observer = observer
  }

  /// Until `stop` is signalled; the socket is gone when it returns.
  mutating func run() {
    while true {
      if nextLook <= .now { look() }
      let ready = wait()
      if ready.isStopping { break }
      let now = ContinuousClock.now
      for (client, events) in ready.clients {
        if events & Int16(POLLOUT) != 0 { write(to: client) }
        if events & ~Int16(POLLOUT) != 0 { read(from: client) }
      }
      if ready.hasNewClients { accept() }
      for client in clients { client.exchange.expire(at: now) }
      // An answer that fits the socket's buffer, as nearly all do, needs no further round.
      for client in clients { write(to: client) }
      clients.removeAll(where: \.isOver)
    }
    clients = []
    listener = nil
  }

  // MARK: Listening

  private mutating func look() {
    if let listener, !listener.isInPlace { self.listener = nil }
    guard listener == nil else {
      nextLook = .now + Self.lookEvery
      return
    }
    do throws(ControlFault) {
      listener = try ControlListener(path: path)
      failures = 0
      nextLook = .now + Self.lookEvery
      observer(nil)
    } catch {
      nextLook = .now + Self.retries[min(failures, Self.retries.count - 1)]
      failures += 1
      observer(error.description)
    }
  }

  private mutating func accept() {
    guard let listener else { return }
    do throws(SystemError) {
      // As many as there is room for in one round; the others' requests come first.
      for _ in 0..<Self.mostClients {
        guard let descriptor = try listener.accept() else { return }
        makeRoom()
        let client = Client(descriptor, start: .now)
        clients.append(client)
        // What it asked right after connecting counts before the next one comes.
        read(from: client)
      }
    } catch {
      acceptsFrom = .now + Self.acceptPause
    }
  }

  private mutating func makeRoom() {
    clients.removeAll(where: \.isOver)
    guard clients.count >= Self.mostClients else { return }
    // Of those that only do not take their answer, the oldest.
    let leaving = clients.firstIndex(where: \.isAsking) ?? 0
    let client = clients.remove(at: leaving)
    client.exchange.refuse(.busy, "\(Self.mostClients) others came later", at: .now)
    write(to: client)
  }

  // MARK: Clients

  private struct Ready {
    var isStopping = false
    var hasNewClients = false
    var clients: [(Client, Int16)] = []
  }

  private func wait() -> Ready {
    var entries = [pollfd(fd: stop.descriptor, events: Int16(POLLIN), revents: 0)]
    let isAccepting = acceptsFrom <= .now
    // A negative descriptor is passed over.
    let listening = isAccepting ? listener?.descriptor ?? -1 : -1
    entries.append(pollfd(fd: listening, events: Int16(POLLIN), revents: 0))
    for client in clients {
      let events = client.isAsking ? POLLIN : POLLOUT
      entries.append(pollfd(fd: client.descriptor, events: Int16(events), revents: 0))
    }
    var due = clients.map(\.exchange.deadline) + [nextLook]
    if !isAccepting { due.append(acceptsFrom) }
    let next = due.min() ?? nextLook
    // Rounded up: a round that comes too early would only be followed by the next.
    let milliseconds = max(0, ((next - .now) / .milliseconds(1)).rounded(.up))
    let count = poll(&entries, nfds_t(entries.count), Int32(min(milliseconds, 60_000)))
    guard count > 0 else { return Ready() }
    var ready = Ready()
    ready.isStopping = entries[0].revents != 0
    ready.hasNewClients = entries[1].revents != 0
    ready.clients = zip(clients, entries.dropFirst(2)).filter { $0.1.revents != 0 }
      .map { ($0.0, $0.1.revents) }
    return ready
  }

  private mutating func read(from client: Client) {
    // In bounded pieces: one that sends without end is cut off by the request's limit.
    while client.isAsking {
      let count = recv(client.descriptor, &chunk, chunk.count, 0)
      if count == -1 {
        let code = errno
        if code == EINTR { continue }
        if code != EAGAIN { client.exchange.end() }
        return
      }
      client.exchange.take(chunk[..<count], at: .now) { request throws(ControlRefusal) in
        try responder.answer(request)
      }
    }
  }

  private func write(to client: Client) {
    while case .answer(let rest) = client.exchange.phase {
      let count = rest.withUnsafeBytes {
        send(client.descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count == -1 {
        let code = errno
        if code == EINTR { continue }
        if code != EAGAIN { client.exchange.end() }
        return
      }
      client.exchange.sent(count)
    }
  }
}
