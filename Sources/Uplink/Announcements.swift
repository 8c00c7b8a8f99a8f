/// The retained topics that a broker must have before the batches of a connection: which
/// definitions it has, and what is still to be published, in order.
struct Announcements: Sendable {
  struct Message: Sendable, Hashable {
    var topic: String
    /// Empty clears the topic.
    var payload: [UInt8]
  }

  private let topics: TopicLayout
  // What any connection of this process published and did not clear: the broker keeps it, also when
  // the log forgets it between two connections.
  private var known: Set<UInt32> = []
  private var current: Set<UInt32> = []
  private var queue: [Message] = []

  init(topics: TopicLayout) { self.topics = topics }

  /// The next message to publish.
  var next: Message? { queue.first }

  /// The next message was published.
  mutating func publishedNext() { queue.removeFirst() }

  /// Everything anew for a connection.
  mutating func open(state: [UInt8], definitions: [UInt32: [UInt8]]) {
    current = []
    queue = [Message(topic: topics.state, payload: state)]
    update(definitions)
  }

  /// Whether the batches that refer to a digest may be sent.
  func covers(_ digest: UInt32) -> Bool { current.contains(digest) }

  /// Says that a digest has no definition in the log, so that its batches do not wait for one.
  mutating func doWithout(_ digest: UInt32) { current.insert(digest) }

  /// Queues what is new in the log and clears what left it.
  mutating func update(_ definitions: [UInt32: [UInt8]]) {
    for (digest, payload) in definitions.sorted(by: { $0.key < $1.key })
    where !current.contains(digest) {
      queue.append(Message(topic: topics.points(digest), payload: payload))
      current.insert(digest)
      known.insert(digest)
    }
    for digest in known.subtracting(definitions.keys).sorted() {
      queue.append(Message(topic: topics.points(digest), payload: []))
      known.remove(digest)
      current.remove(digest)
    }
  }
}
