internal import Buffering
internal import CStoreFloor
internal import Glibc

/// The measurements, one after the other. Those that are compared take turns.
struct Bench {
  let directory: String
  let options: Options

  private var cycles: Int { options.isQuick ? 500 : 8000 }
  private var commits: Int { options.isQuick ? 500 : 4000 }

  func run() throws {
    for step in [appends, commit, recovery] {
      try step()
      fflush(nil)
    }
  }

  // MARK: Appending

  private func appends() throws {
    var mine = Mine(.sensor)
    let samples = (0..<cycles).map { _ in mine.nextCycle() }
    let values = cycles * Mine.values
    var rates: [(name: String, perSecond: [Double])] = []
    func note(_ name: String, _ took: Double) throws {
      guard took > 0 else { throw Failed(name, errno) }
      let rate = Double(values) / took / 1e6
      if let index = rates.firstIndex(where: { $0.name == name }) {
        rates[index].perSecond.append(rate)
      } else {
        rates.append((name, [rate]))
      }
    }
    for _ in 1...options.runs {
      for isSynced in [true, false] {
        let sync = isSynced ? "synced each \(Mine.values)" : "not synced"
        try note("journal, \(sync)", try append(samples, isSynced: isSynced))
        for isFilled in [false, true] {
          let file = isFilled ? "a zero-filled" : "a growing"
          let path = directory + "/floor"
          try note(
            "C, 100 bytes a value to \(file) file, \(sync)",
            CStoreFloor_append(path, values, Mine.values, isSynced ? 1 : 0, isFilled ? 1 : 0))
          remove(path)
        }
        let path = directory + "/base"
        try note(
          "SQLite, WAL, \(Mine.values) rows a transaction, \(sync)",
          CStoreFloor_sqlite(path, values, Mine.values, isSynced ? 1 : 0))
        for suffix in ["", "-wal", "-shm"] { remove(path + suffix) }
      }
    }
    print("appending \(values) values, million a second: median (least, most)")
    for (name, rate) in rates {
      let sorted = rate.sorted()
      print("  \(pad(name, 66)) \(decimal(sorted[sorted.count / 2])) ", terminator: "")
      print("(\(decimal(sorted[0])), \(decimal(sorted[sorted.count - 1])))")
    }
  }

  /// Seconds that it took to hand over and append everything.
  private func append(_ cycles: [[DefinedSample]], isSynced: Bool) throws -> Double {
    let path = directory + "/append"
    defer { removeTree(path) }
    // Made beforehand and large enough: neither is part of appending.
    let store = try OpenStore(path, dataBytes: 1 << 30, isSynced: isSynced)
    let begin = seconds()
    for samples in cycles { store.append(samples) }
    let took = seconds() - begin
    guard let newest = store.newest, newest.seq >= cycles.count else {
      throw Failed("the journal took \(String(describing: store.newest))", EIO)
    }
    return took
  }

  // MARK: Commits

  /// One cycle appended and synced, in turn with the barest durable write there is.
  private func commit() throws {
    let path = directory + "/commit"
    defer { removeTree(path) }
    let store = try OpenStore(path, dataBytes: 1 << 30, isSynced: true)
    let pages = CStoreFloor_open_pages(directory + "/pages", commits)
    guard pages >= 0 else { throw Failed("pages", errno) }
    defer {
      close(pages)
      remove(directory + "/pages")
    }
    var mine = Mine(.sensor)
    var ours: [Double] = []
    var bare: [Double] = []
    for number in 0..<commits {
      let samples = mine.nextCycle()
      let begin = seconds()
      store.append(samples)
      ours.append(seconds() - begin)
      store.acknowledgeNewest()
      let took = CStoreFloor_sync_page(pages, number)
      guard took > 0 else { throw Failed("pages", errno) }
      bare.append(took)
    }
    ours.sort()
    bare.sort()
    print("\(commits) commits of \(Mine.values) values, beside one page of a zero-filled file, µs")
    for (name, share) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
      let index = min(commits - 1, Int(share * Double(commits)))
      let ratio = ours[index] / bare[index]
      print(
        "  \(pad(name, 6)) journal \(decimal(ours[index] * 1e6)), bare fdatasync "
          + "\(decimal(bare[index] * 1e6)), ratio \(decimal(ratio))")
    }
  }

  // MARK: Size and recovery

  private func recovery() throws {
    for signal in Mine.Signal.allCases {
      let path = directory + "/recovery"
      defer { removeTree(path) }
      // Noise shows the size only: what is recovered is the realistic one.
      let size =
        signal == .sensor ? options.recoveredMebibytes : min(32, options.recoveredMebibytes)
      let values = try fill(path, mebibytes: size, with: signal)
      let found = try segments(of: path)
      print(
        "\(signal.rawValue): \(values) values in \(found.count) segments, "
          + "\(decimal(Double(found.bytes) / Double(values))) bytes a value")
      guard signal == .sensor else { continue }
      for (name, isCold) in [("from the disk", true), ("from the page cache", false)] {
        var times: [Double] = []
        for _ in 1...options.runs {
          if isCold { dropPages(path) }
          let begin = seconds()
          let store = try OpenStore(path, dataBytes: 2 * size << 20, isSynced: true)
          times.append(seconds() - begin)
          _ = store.newest
        }
        times.sort()
        print("  opened \(name) in \(decimal(times[times.count / 2] * 1000)) ms")
      }
    }
  }

  /// Fills a store that is then left as a crash leaves it; returns how many values it holds.
  private func fill(_ path: String, mebibytes: Int, with signal: Mine.Signal) throws -> Int {
    // Room for twice as much, so that nothing is evicted.
    let store = try OpenStore(path, dataBytes: 2 * mebibytes << 20, isSynced: false)
    var mine = Mine(signal)
    var cycles = 0
    repeat {
      for _ in 0..<1000 { store.append(mine.nextCycle()) }
      cycles += 1000
    } while try segments(of: path).bytes < mebibytes << 20
    return cycles * Mine.values
  }
}

struct Failed: Error, CustomStringConvertible {
  var description: String
  init(_ what: String, _ code: Int32) {
    description = "\(what): \(String(cString: strerror(code)))"
  }
}

/// Three digits.
private func decimal(_ value: Double) -> String {
  let scale = value < 10 ? 100.0 : value < 100 ? 10 : 1
  let rounded = (value * scale).rounded() / scale
  return scale == 1 ? "\(Int(rounded))" : "\(rounded)"
}

private func pad(_ text: String, _ width: Int) -> String {
  text + String(repeating: " ", count: max(0, width - text.count))
}
