/// The retained topics that a broker must have before the batches of a connection: which
/// definitions it has, what is still to be published, in order, and what it did not take.
struct Announcements: Sendable {
  struct Message: Sendable, Hashable {
    var topic: String
    /// Empty clears the topic.
    var payload: [UInt8]
    /// What `points/<digest>` is about; `nil` for `state`.
    var digest: UInt32?
  }

  /// A message that the broker did not take.
  private struct Refusal {
    var message: Message
    var fault: UplinkFault
    /// `nil` once it is queued again; its fate is not known then.
    var retryAt: Int64?
  }

  /// Refusals kept at most: more definitions than a store refers to. Beyond, the fault stands and
  /// the topic waits for the next connection.
  static let refusalsLimit = 1024

  private let topics: TopicLayout
  // What any connection of this process published and did not clear: the broker keeps it, also when
  // the log forgets it between two connections.
  private var known: Set<UInt32> = []
  private var current: Set<UInt32> = []
  private var queue: [Message] = []
  private var refusals: [String: Refusal] = [:]

  init(topics: TopicLayout) { self.topics = topics }

  /// The next message to publish.
  var next: Message? { queue.first }

  /// The next message was published.
  mutating func publishedNext() { if !queue.isEmpty { queue.removeFirst() } }

  /// Everything anew for a connection.
  mutating func open(state: [UInt8], definitions: [UInt32: [UInt8]]) {
    current = []
    refusals = [:]
    queue = [Message(topic: topics.state, payload: state)]
    update(definitions)
  }

  /// The state of a connection that stands has changed.
  mutating func renew(state: [UInt8]) {
    queue.removeAll { $0.topic == topics.state }
    queue.insert(Message(topic: topics.state, payload: state), at: 0)
  }

  /// Whether the batches that refer to a digest may be sent.
  func covers(_ digest: UInt32) -> Bool { current.contains(digest) }

  /// Says that a digest has no definition in the log, so that its batches do not wait for one.
  mutating func doWithout(_ digest: UInt32) { current.insert(digest) }

  /// Queues what is new in the log and clears what left it.
  mutating func update(_ definitions: [UInt32: [UInt8]]) {
    for (digest, payload) in definitions.sorted(by: { $0.key < $1.key })
    where !current.contains(digest) {
      enqueue(Message(topic: topics.points(digest), payload: payload, digest: digest))
      current.insert(digest)
      known.insert(digest)
    }
    for digest in known.subtracting(definitions.keys).sorted() {
      enqueue(Message(topic: topics.points(digest), payload: [], digest: digest))
      known.remove(digest)
      current.remove(digest)
    }
  }
}

extension Announcements {
  /// The fault that a destination has for what its broker did not take.
  var fault: UplinkFault? {
    let faults = refusals.values.map(\.fault)
    return [.refused, .tooLarge].first(where: faults.contains) ?? faults.first
  }

  /// The topics that the broker did not take, without the prefix, and why.
  var refused: [String: UplinkFault] {
    let pairs = refusals.map { (topics.relative($0.key), $0.value.fault) }
    return Dictionary(pairs) { first, _ in first }
  }

  /// When the first of them is to be queued again.
  var retryAt: Int64? { refusals.values.compactMap(\.retryAt).min() }

  /// The broker took a message.
  mutating func accepted(_ message: Message) {
    if isWanted(message) { refusals[message.topic] = nil }
  }

  /// The broker did not take a message; it is queued again at `time`.
  mutating func refused(_ message: Message, _ fault: UplinkFault, retryAt time: Int64) {
    guard isWanted(message) else { return }
    guard refusals[message.topic] != nil || refusals.count < Self.refusalsLimit else { return }
    refusals[message.topic] = Refusal(message: message, fault: fault, retryAt: time)
  }

  /// Queues again what is due.
  mutating func requeue(now: Int64) {
    for (_, refusal) in refusals.sorted(by: { $0.key < $1.key }) {
      if let time = refusal.retryAt, time <= now { enqueue(refusal.message) }
    }
  }

  private mutating func enqueue(_ message: Message) {
    queue.append(message)
    refusals[message.topic]?.retryAt = nil
  }

  /// Whether it says of its topic what holds now: what was defined may be cleared meanwhile.
  private func isWanted(_ message: Message) -> Bool {
    guard let digest = message.digest else { return true }
    return current.contains(digest) != message.payload.isEmpty
  }
}
