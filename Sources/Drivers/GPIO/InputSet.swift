internal import Glibc
internal import LinuxSystem
internal import Telemetry

/// All lines that the thread of the GPIO inputs watches; the thread's own.
final class InputSet {
  /// How many edges of a line a wake-up takes at most: what one line floods, others wait for.
  private static let edgesAtOnce = 64
  /// What the reading of both clocks may take, half of what a sample's time tells; and how often
  /// they are read at most where the machine stalls.
  private static let clockNanoseconds: Int64 = 500_000
  private static let clockReadings = 8
  /// How often edges are looked for that came while lines were read.
  private static let lateReadings = 4
  /// How many lines are asked for in a turn: each opens the chips, and may wait for a slow bus,
  /// while the edges of others come.
  private static let requestsAtOnce = 4

  private typealias Edge = (channel: Int, edge: LineEdge)

  private let epoll: Epoll
  private let sink: any LineSink
  private let clock: any TimeSource
  private let queueSize: UInt32
  private let take: OpenLine.Taking
  private var channels: [InputChannel] = []
  private var indices: [UInt64: Int] = [:]
  private var lastKey: UInt64 = 0
  private var totals: [String: (total: KnownTotal, reason: String?)]
  private var eventClock = EventClock()
  private var outputs: [LineOutput] = []
  /// Lines whose queue was found full, and that could not be read, since edges were last handed on.
  private var full: Set<Int> = []
  private var broken: [(channel: Int, fault: LineFault)] = []

  init(
    _ epoll: Epoll, totals: [String: KnownTotal], totalReason: String?, sink: any LineSink,
    clock: any TimeSource, queueSize: UInt32,
    taking take: @escaping OpenLine.Taking = GPIOLine.init
  ) {
    self.epoll = epoll
    self.totals = totals.mapValues { ($0, $0.isDamaged ? PastEnding.damaged : totalReason) }
    self.sink = sink
    self.clock = clock
    self.queueSize = queueSize
    self.take = take
  }

  /// When there is something to do without an edge; `nil` without lines.
  var nextTime: Int64? { channels.lazy.map(\.nextTime).min() }

  /// What may have changed since the last call.
  func takeStatistics() -> [(name: String, statistics: LineStatistics)] {
    channels.indices.compactMap { index in
      guard channels[index].isTouched else { return nil }
      channels[index].isTouched = false
      return (channels[index].definition.name, channels[index].statistics)
    }
  }

  /// Watches those lines from now on; those whose definition is the same go on.
  /// - Parameters:
  ///   - known: What counts of lines that were not watched before are known to have been.
  ///   - doubt: Why those that are not among them may have been more than 0.
  func use(
    _ lines: [LineDefinition], totals known: [String: KnownTotal] = [:], doubt: String? = nil
  ) {
    takeRemainingEdges()
    let wanted = Set(lines)
    let now = clock.now()
    for index in channels.indices where !wanted.contains(channels[index].definition) {
      end(index, at: now)
    }
    // What was counted here is newer than what anybody else knows.
    totals.merge(
      known.mapValues { ($0, $0.isDamaged ? PastEnding.damaged : PastEnding.reload) }
    ) { own, _ in own }
    var kept: [LineDefinition: InputChannel] = [:]
    for channel in channels where wanted.contains(channel.definition) {
      kept[channel.definition] = channel
    }
    // Gives back what is no longer used, before any of it is asked for anew.
    channels = []
    channels = lines.map { line in
      if let channel = kept[line] { return channel }
      lastKey += 1
      let known = totals[line.name]
      let reason = known == nil ? doubt : known?.reason
      let input = LineInput(line, total: known?.total.total, totalReason: reason, at: now)
      return InputChannel(line, key: lastKey, input: input, at: now.monotonic)
    }
    indices = [:]
    for index in channels.indices { indices[channels[index].key] = index }
    deliver()
  }

  /// Ends all of it: the last samples, and the lines are given back.
  func end() {
    takeRemainingEdges()
    let now = clock.now()
    for index in channels.indices { end(index, at: now) }
    deliver()
    channels = []
    indices = [:]
  }

  /// Does what is to be done now: takes the edges that came, reads lines whose time has come, tries
  /// lines again that could not be had.
  func turn(_ ready: [Epoll.Ready]) {
    var edges: [Edge] = []
    for entry in ready {
      guard let index = indices[entry.key] else { continue }
      if entry.isReadable {
        edges += collect(index)
      } else {
        let error = SystemError(call: "poll", subject: place(of: index), code: ENODEV)
        broken.append((index, LineFault(error)))
      }
    }
    feed(completed(edges))
    attend()
    // Those that have waited longest first, so that each has its turn.
    let now = clock.monotonic
    let wanting = channels.indices.compactMap { index in
      channels[index].requestTime.map { (time: $0, index: index) }
    }
    for entry in wanting.filter({ $0.time <= now }).sorted(by: <).prefix(Self.requestsAtOnce) {
      request(entry.index)
    }
    deliver()
  }

  // MARK: - Edges

  /// Takes what the kernel has of edges; as much as its queues hold, and no more where a line never
  /// rests.
  private func takeRemainingEdges() {
    for _ in 0...Int(queueSize) / Self.edgesAtOnce {
      let edges = completed(channels.indices.flatMap(collect))
      feed(edges)
      if edges.isEmpty { break }
    }
  }

  /// Those edges with what other lines had by then: while one line is read, an edge of another may
  /// come that is older than the last one of the first.
  private func completed(_ edges: [Edge]) -> [Edge] {
    guard !edges.isEmpty else { return [] }
    var all = edges
    for _ in 0..<Self.lateReadings {
      let late = epoll.wait(forMilliseconds: 0).filter(\.isReadable).compactMap { indices[$0.key] }
        .flatMap(collect)
      if late.isEmpty { break }
      all += late
    }
    return all
  }

  /// Reads the edges of a line that the kernel has, a bounded number.
  private func collect(_ index: Int) -> [Edge] {
    guard let open = channels[index].open, open.line.descriptor != nil else { return [] }
    var edges: [LineEdge] = []
    do throws(SystemError) {
      while edges.count < Self.edgesAtOnce {
        let reading = try open.line.readEdges()
        edges += reading.edges
        if reading.isQueueFull { full.insert(index) }
        if reading.isLast { break }
      }
    } catch {
      broken.append((index, LineFault(error)))
    }
    return edges.map { (index, $0) }
  }

  /// Hands edges of any lines on in the order of the kernel's time, and fails lines that could not
  /// be read.
  private func feed(_ edges: [Edge]) {
    if !edges.isEmpty {
      let (now, kernelNow) = bothClocks()
      let order = edges.indices.sorted {
        (edges[$0].edge.nanoseconds, $0) < (edges[$1].edge.nanoseconds, $1)
      }
      for (index, edge) in order.lazy.map({ edges[$0] }) {
        let time = eventClock.time(
          ofNanoseconds: edge.nanoseconds, now: now, kernelNow: kernelNow)
        channels[index].input.take(edge, at: time)
        takeOutputs(of: index, at: now)
      }
      for index in Set(edges.map(\.channel)).sorted() {
        // Where edges were lost, the newest is no longer the line's level.
        let isFull = full.remove(index) != nil
        channels[index].input.drained(
          isQueueFull: isFull, isActive: isFull ? level(of: index) : nil, at: now)
        takeOutputs(of: index, at: now)
      }
    }
    // One may have been found broken more than once.
    for (index, fault) in broken where channels[index].open != nil { fail(index, fault) }
    broken.removeAll()
  }

  /// The agent's clock and the kernel's at one moment. A thread that had to wait between them reads
  /// them again, because each edge would be dated wrong by that wait.
  private func bothClocks() -> (now: Timestamp, kernelNow: Int64) {
    var before = Self.kernelNow()
    var now = clock.now()
    var after = Self.kernelNow()
    for _ in 1..<Self.clockReadings where after - before > Self.clockNanoseconds {
      before = Self.kernelNow()
      now = clock.now()
      after = Self.kernelNow()
    }
    return (now, after)
  }

  private static func kernelNow() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  // MARK: - Looks

  /// Reads the lines whose time has come.
  private func attend() {
    let time = clock.monotonic
    let coming = channels.indices.filter { channels[$0].nextTime <= time }
    guard !coming.isEmpty else { return }
    feedPending(coming)
    var levels: [Int: Bool] = [:]
    for index in coming { levels[index] = level(of: index) }
    // What changed while they were read is older than now, and its edges tell the level.
    var now = clock.now()
    for _ in 0..<Self.lateReadings {
      let late = coming.flatMap(collect)
      if late.isEmpty { break }
      feed(completed(late))
      for (index, _) in late { levels[index] = nil }
      now = clock.now()
    }
    for index in coming { attend(to: index, isActive: levels[index], at: now) }
  }

  /// Takes the edges that those lines have; if they have any, those of all lines, for the order of
  /// their times.
  private func feedPending(_ lines: [Int]) {
    feed(completed(lines.flatMap(collect)))
  }

  private func attend(to index: Int, isActive: Bool?, at now: Timestamp) {
    var isTold = false
    if let wake = channels[index].input.wakeTime, wake <= now.monotonic {
      channels[index].input.settle(isActive: isActive, at: now)
      isTold = true
    }
    if let scheduled = channels[index].takeDue(at: now.monotonic) {
      channels[index].input.due(
        isActive: isActive, scheduled: now.moved(to: scheduled), at: now)
      isTold = true
    }
    if !isTold, isActive != nil {
      channels[index].input.drained(isQueueFull: false, isActive: isActive, at: now)
    }
    if channels[index].open != nil { channels[index].looked(at: now.monotonic) }
    takeOutputs(of: index, at: now)
    if let missed = channels[index].takeMissed(at: now.monotonic) {
      tell(missed, of: index, at: now)
    }
  }

  /// What the line reads now; `nil` for one that can't be read.
  private func level(of index: Int) -> Bool? {
    guard let open = channels[index].open else { return nil }
    do throws(SystemError) {
      return try open.line.isActive()
    } catch {
      fail(index, LineFault(error))
      return nil
    }
  }

  // MARK: - Lines

  private func place(of index: Int) -> String {
    channels[index].input.statistics.place ?? channels[index].definition.name
  }

  private func request(_ index: Int) {
    // A line without edges goes on as it is if it gets none this time either.
    let wasSampled = channels[index].open != nil
    channels[index].release()
    do throws(LineFault) {
      let open = try OpenLine(channels[index].definition, queueSize: queueSize, taking: take)
      do throws(SystemError) {
        let level = try open.line.isActive()
        if let descriptor = open.line.descriptor {
          try epoll.add(descriptor, as: channels[index].key)
        }
        let now = clock.now()
        channels[index].succeed(open, at: now.monotonic)
        if wasSampled, open.lack != nil { return }
        channels[index].input.open(
          isActive: level, isDebouncedByKernel: open.isDebouncedByKernel, lack: open.lack, at: now)
        takeOutputs(of: index, at: now)
      } catch {
        throw LineFault(error)
      }
    } catch {
      fail(index, error)
    }
  }

  private func fail(_ index: Int, _ fault: LineFault) {
    let now = clock.now()
    if let descriptor = channels[index].open?.line.descriptor { epoll.remove(descriptor) }
    channels[index].fail(fault, at: now)
    takeOutputs(of: index, at: now)
  }

  private func end(_ index: Int, at now: Timestamp) {
    if let descriptor = channels[index].open?.line.descriptor { epoll.remove(descriptor) }
    channels[index].input.end(at: now)
    takeOutputs(of: index, at: now)
    if let missed = channels[index].takeMissed(at: now.monotonic, isEnd: true) {
      tell(missed, of: index, at: now)
    }
    if let total = channels[index].input.statistics.total {
      totals[channels[index].definition.name] = (KnownTotal(total), PastEnding.reload)
    }
  }

  // MARK: - Outputs

  private func tell(_ missed: MissedCycles, of index: Int, at now: Timestamp) {
    let last = missed.last ?? missed.first
    let span = GapSpan.time(from: now.moved(to: missed.first), to: now.moved(to: last))
    let gap = GapDetail(stream: .data, span: span, count: missed.count, reason: .notRead)
    outputs.append(
      .event(
        Event(
          time: now, severity: .warning, source: channels[index].definition.name,
          detail: .gap(gap))))
  }

  private func takeOutputs(of index: Int, at now: Timestamp) {
    channels[index].isTouched = true
    for output in channels[index].input.takeOutputs() {
      guard case .fault(let reason) = output else {
        outputs.append(output)
        continue
      }
      deliver()
      sink.line(channels[index].definition.name, changedTo: reason, at: now)
    }
  }

  /// Hands everything over, the transitions first and in the order of their times: what was
  /// debounced is known later than it happened.
  private func deliver() {
    let transitions = outputs.compactMap { output in
      if case .transition(let transition) = output { transition } else { nil }
    }
    let order = transitions.indices.sorted {
      (transitions[$0].time.monotonic, $0) < (transitions[$1].time.monotonic, $1)
    }
    for index in order { sink.accept(transitions[index]) }
    for output in outputs {
      switch output {
      case .sample(let sample): sink.accept(sample)
      case .event(let event): sink.accept(event)
      case .transition, .fault: break
      }
    }
    outputs.removeAll(keepingCapacity: true)
  }
}
