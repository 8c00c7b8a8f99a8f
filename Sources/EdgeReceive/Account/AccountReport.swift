import Telemetry

/// The account of everything that was received: what is there, what is missing and why.
struct AccountReport: Sendable {
  /// Messages by what they are.
  struct Messages: Sendable, Hashable {
    var total = 0
    /// On `data` and `data/history`, repeats included.
    var live = 0
    var history = 0
    /// On `events` and `events/history`, repeats included.
    var events = 0
    /// `state`, `health` and point definitions.
    var retained = 0
    /// On topics that the contract does not know.
    var other = 0
    var malformed = 0
  }

  /// A message that is not what the contract says.
  struct Malformed: Sendable, Hashable {
    var arrival: Int64
    var topic: String
    var problem: String
  }

  /// One stream in one epoch.
  struct Stream: Sendable, Hashable {
    var name: StreamEpoch
    var held: SeqSet
    /// The newest seq that `health` or a `start` states; 0 if none.
    var statedNewest: UInt64
    /// Batches that `health` last said to be unsent.
    var unsent: UInt64?
    var holes: [Hole]
  }

  /// An identity that came with two contents.
  struct Conflict: Sendable, Hashable {
    var stream: StreamEpoch
    var seq: UInt64
    var arrival: Int64
  }

  /// An epoch that came from more than one boot: two boards run copies of one card.
  struct Clone: Sendable, Hashable {
    var epoch: EpochName
    var boots: [BootID]
  }

  /// Epochs between known ones that nothing speaks of.
  struct MissingEpochs: Sendable, Hashable {
    var gateway: String
    var store: UInt64
    var epochs: ClosedRange<UInt32>
  }

  /// What a device's samples were.
  struct Device: Sendable, Hashable {
    var gateway: String
    var device: String
    var samples = 0
    var good = 0
    var bad: [BadReason: Int] = [:]
  }

  /// Samples by what their time is worth.
  struct Dating: Sendable, Hashable {
    var synced = 0
    var corrected = 0
    /// Unsynchronised, but the boot learnt the time later.
    var redated = 0
    var undated = 0
  }

  /// When the first fresh sample came after a moment.
  struct FirstFresh: Sendable, Hashable {
    /// Unix milliseconds.
    var since: Int64
    /// From then to the arrival of the first live sample that is not older; `nil` if none came.
    var milliseconds: Int64?
  }

  var messages = Messages()
  var malformed: [Malformed] = []
  var repeats = 0
  var conflictCount = 0
  var conflicts: [Conflict] = []
  var clones: [Clone] = []
  var outOfOrderCount = 0
  var outOfOrder: [SampleOrder.Violation] = []
  var streams: [Stream] = []
  var missingEpochs: [MissingEpochs] = []
  var timeGaps: [Statements.TimeGap] = []
  var devices: [Device] = []
  var dating = Dating()
  var liveLatency: Latency.Summary?
  var historyLatency: Latency.Summary?
  var firstFresh: [FirstFresh] = []
  var truth: TruthReport?
}

/// The account against what the simulator served.
struct TruthReport: Sendable {
  /// A served value that was not delivered.
  struct Missing: Sendable, Hashable {
    var point: DevicePoint
    var value: ServedValue
  }

  /// A delivered value that was never served.
  struct Invented: Sendable, Hashable {
    var point: DevicePoint
    var value: DeliveredValue
  }

  /// Lists stop here; the counts say the rest.
  static let listLimit = 1000

  /// Values served in time.
  var served = 0
  /// Of those, delivered.
  var delivered = 0
  /// Values of answers that came after the agent had given the question up, which it said; not
  /// among those served in time.
  var givenUp = 0
  /// Values served late on purpose: they need not be delivered.
  var late = 0
  /// Of those, delivered all the same.
  var lateDelivered = 0
  var lostCount = 0
  var lost: [Missing] = []
  /// Not delivered, but the point is reported on change, and they were none.
  var unreported = 0
  /// Not delivered, but a gap accounts for the time; by the gap's words.
  var explained: [String: Int] = [:]
  var inventedCount = 0
  var invented: [Invented] = []
  /// Devices that delivered, but that the simulator does not play.
  var unchecked: [String] = []
  /// Requests that the simulator did not answer properly, by fault.
  var faults: [String: Int] = [:]
  var malformedLineCount = 0
  var malformedLines: [String] = []
}

extension AccountReport {
  /// Batches that are missing without an explanation.
  var unexplainedBatches: UInt64 {
    streams.lazy.flatMap(\.holes).filter { $0.explanation == nil }
      .reduce(0) { $0 + UInt64($1.seqs.upperBound - $1.seqs.lowerBound) + 1 }
  }

  /// Every reason why the account is not complete, in words; none if it is.
  var problems: [String] {
    var problems: [String] = []
    func note(_ count: some BinaryInteger, _ words: String) {
      if count > 0 { problems.append("\(count) \(words)") }
    }
    if streams.allSatisfy({ $0.held.ranges.isEmpty }) { problems.append("nothing was received") }
    note(unexplainedBatches, "batches missing without explanation")
    note(
      missingEpochs.reduce(0) { $0 + $1.epochs.count }, "epochs missing that nothing speaks of")
    note(outOfOrderCount, "readings out of order")
    note(conflictCount, "copies that differ from the batch of the same identity")
    note(clones.count, "epochs from more than one boot (cloned cards)")
    note(messages.malformed, "malformed messages")
    if let truth {
      note(truth.lostCount, "served values lost")
      note(truth.inventedCount, "values delivered that were never served")
      note(truth.malformedLineCount, "malformed lines in the truth file")
    }
    return problems
  }

  /// Whether nothing is unexplained.
  var isComplete: Bool { problems.isEmpty }
}
