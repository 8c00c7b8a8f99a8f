@testable import EdgeReceive

/// Hand-made messages of one gateway, as the contract prints them. Everything is text, so that the
/// tests check the program against the contract and not against its own encoder.
struct HandMade {
  static let wall: Int64 = 1_795_140_239_771

  var gateway = "gw-1"
  var store = "9f2c61d07be4a835"
  var epoch = 1
  var boot = "3d1f0c52"
  var offset = wall
  var clock = "synced"
  var points = "b1946ac9"

  var prefix: String { "mine/v1/520201/520201000123/\(gateway)" }

  private func head(_ stream: String, _ seq: Int) -> String {
    """
    {"v":1,"gateway":"\(gateway)","store":"\(store)","stream":"\(stream)","epoch":\(epoch),\
    "seq":\(seq),"boot":"\(boot)","offset":\(offset),"clock":"\(clock)"
    """
  }

  /// A batch of samples given as JSON text.
  func batch(_ seq: Int, samples: [String]) -> String {
    "\(head("data", seq)),\"points\":\"\(points)\",\"samples\":[\(samples.joined(separator: ","))]}"
  }

  /// A batch of events given as JSON text.
  func batch(_ seq: Int, events: [String]) -> String {
    "\(head("events", seq)),\"events\":[\(events.joined(separator: ","))]}"
  }

  /// A sample with one good value.
  func sample(_ mono: Int64, _ value: String, device: String = "return-air") -> String {
    "{\"device\":\"\(device)\",\"time\":\(mono + offset),\"values\":{\"ch4\":\(value)}}"
  }

  /// An event; `details` are further members, each with a comma before it.
  func event(_ type: String, _ details: String, id: String = "00", mono: Int64 = 1) -> String {
    """
    {"id":"\(id)","time":\(mono + offset),"type":"\(type)","severity":"info","source":"agent"\
    \(details)}
    """
  }

  // MARK: Messages

  /// A message that arrived 20 ms after the wall time of `mono`.
  func message(_ topic: String, _ payload: String, mono: Int64 = 0) -> ArrivedMessage {
    ArrivedMessage(
      arrival: HandMade.wall + mono + 20, topic: "\(prefix)/\(topic)", payload: Array(payload.utf8),
      isRetained: false)
  }

  /// A batch on `data` with one sample, measured at `seq` seconds.
  func live(_ seq: Int, _ value: String? = nil, on topic: String = "data") -> ArrivedMessage {
    let mono = Int64(seq) * 1000
    return message(topic, batch(seq, samples: [sample(mono, value ?? "0.\(seq)1")]), mono: mono)
  }

  /// A batch on `events` with one event.
  func event(
    _ seq: Int, _ type: String, _ details: String, mono: Int64 = 1
  ) -> ArrivedMessage {
    let text = event(type, details, id: "\(epoch)-\(seq)", mono: mono)
    return message("events", batch(seq, events: [text]), mono: mono)
  }

  /// The `start` event of the epoch; `previous` is JSON text.
  func start(previous: String = "") -> ArrivedMessage {
    event(1, "start", ",\"agent\":\"0.1.0\",\"previous\":[\(previous)]")
  }

  /// An entry of a `start` event's list.
  func previous(epoch: Int, data: Int, events: Int = 1, clean: Bool) -> String {
    """
    {"store":"\(store)","epoch":\(epoch),"last":{"events":\(events),"data":\(data)},\
    "clean":\(clean)}
    """
  }

  /// A gap of this store's data stream by seq.
  func gap(
    _ seq: Int, from: Int, to: Int, reason: String = "evicted", more: String = ""
  ) -> ArrivedMessage {
    event(
      seq, "gap",
      """
      ,"stream":"data","store":"\(store)","epoch":\(epoch),"from-seq":\(from),"to-seq":\(to),\
      "reason":"\(reason)"\(more)
      """)
  }

  /// A gap of the data stream by time, given in monotonic milliseconds.
  func timeGap(_ seq: Int, from: Int64, to: Int64, reason: String) -> ArrivedMessage {
    event(
      seq, "gap",
      """
      ,"stream":"data","from":\(from + offset),"to":\(to + offset),"reason":"\(reason)"
      """
    )
  }

  /// `health` with the newest data batch.
  func health(newest seq: Int, unsent: Int = 0) -> ArrivedMessage {
    message(
      "health",
      """
      {"v":1,"gateway":"\(gateway)","faults":{"device/fan-1":"timeout"},"streams":{"data":\
      {"store":"\(store)","newest":{"epoch":\(epoch),"seq":\(seq)},"oldest":null,\
      "unsent":\(unsent),"oldest-unsent":null}}}
      """)
  }

  /// `state` of a destination.
  func state(_ word: String, destination: String = "province") -> ArrivedMessage {
    message(
      "state",
      """
      {"v":1,"state":"\(word)","gateway":"\(gateway)","destination":"\(destination)",\
      "agent":"0.1.0","store":"\(store)","epoch":\(epoch),"since":\(offset)}
      """)
  }
}

/// The report over messages in the order of their arrival.
func report(
  _ messages: [ArrivedMessage], since: [Int64] = [], truth: Truth? = nil
) -> AccountReport {
  var account = Account(Account.Options(since: since, keepsValues: truth != nil))
  for message in messages { account.add(message) }
  return account.report(truth: truth)
}

extension AccountReport {
  /// The holes of the stream that has any, as `from-to: explanation`.
  var holes: [String] {
    streams.flatMap { stream in
      stream.holes.map { hole in
        "\(stream.name.stream) \(stream.name.epoch.epoch): \(hole.seqs.lowerBound)-"
          + "\(hole.seqs.upperBound) \(hole.explanation?.description ?? "unexplained")"
          + (hole.isTail ? " tail" : "")
      }
    }
  }
}
