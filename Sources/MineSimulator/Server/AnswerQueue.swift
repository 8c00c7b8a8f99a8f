/// Answers that are not due yet, in the order in which they fall due; of equal times the one that
/// was asked for first.
struct AnswerQueue {
  /// Where an answer goes.
  enum Way: Hashable {
    /// A connection by its number.
    case connection(Int)
    /// A serial station, by its index among them.
    case line(Int)
  }

  struct Entry {
    /// Milliseconds since the start.
    var due: Int64
    var way: Way
    var pending: Mine.Pending
  }

  /// Latest first, so that the next is taken from the end.
  private var entries: [Entry] = []

  var nextDue: Int64? { entries.last?.due }

  /// Puts an answer in; what is due at the same time stays ahead of it.
  mutating func insert(_ entry: Entry) {
    var low = 0
    var high = entries.count
    while low < high {
      let middle = (low + high) / 2
      if entries[middle].due > entry.due { low = middle + 1 } else { high = middle }
    }
    entries.insert(entry, at: low)
  }

  /// The next answer that is due by `milliseconds`.
  mutating func take(dueBy milliseconds: Int64) -> Entry? {
    guard let entry = entries.last, entry.due <= milliseconds else { return nil }
    return entries.removeLast()
  }

  /// Forgets what a closed connection waited for.
  mutating func remove(_ way: Way) { entries.removeAll { $0.way == way } }
}
