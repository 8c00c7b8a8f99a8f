internal import Glibc
internal import LinuxSystem
internal import Telemetry

/// A stream's folder as it is at a moment: which file is which segment.
struct SegmentListing {
  /// A segment that is known by its header, or by its frames where the header is damaged.
  struct Entry {
    var name: String
    var header: SegmentHeader
    /// What keeps an agent from reading it, if anything does.
    var obstacle: Obstacle?
  }

  /// A file that an agent would pass over.
  struct Obstacle {
    var what: StoreFinding.What
    var problem: String
  }

  let stream: StreamName
  /// By generation.
  private(set) var segments: [Entry] = []
  /// Files that were prepared and not begun.
  private(set) var blanks = 0
  /// Files that no segment's place is known of.
  private(set) var unplaced: [(name: String, obstacle: Obstacle)] = []
  /// Of all files of segments.
  private(set) var fileBytes = 0
  /// Files of segments, those put aside not counted.
  private(set) var files = 0
  private(set) var segmentBytes = 0
  private(set) var putAside = 0
  /// As their headers say.
  private(set) var formatVersions: Set<UInt16> = []

  private static let suffix = ".seg"
  /// Headers are looked at again: an agent may just be writing one.
  static let looks = 3
  static let pauseMicroseconds: UInt32 = 20_000
  /// How far beside the segments that are there a damaged header's generation is looked for.
  private static let reach: UInt64 = 8

  /// Lists the folder of `stream` in the store with the id `store`; one that is not there is empty.
  init(_ stream: StreamName, storage: any Storage, directory: String, store: UInt64? = nil) {
    self.stream = stream
    let folder = "\(directory)/\(stream)"
    let names = ((try? storage.list(folder)) ?? []).sorted()
    var found: [(name: String, size: Int, look: Look)] = []
    for name in names where name.hasSuffix(Self.suffix) {
      let (size, look) = Self.look(at: folder + "/" + name, stream, storage)
      // Recycling renames no file; one that is gone was put aside since.
      if case .gone = look { continue }
      found.append((name, size, look))
      files += 1
      fileBytes += size
    }
    segmentBytes = Self.mostFrequent(found.map(\.size))
    for (name, size, look) in found {
      switch look {
      case .gone: break
      case .blank where size == segmentBytes: blanks += 1
      case .segment(let header):
        formatVersions.insert(header.version)
        segments.append(Entry(name: name, header: header, obstacle: wrongSize(size)))
      case .blank:
        if let obstacle = wrongSize(size) { unplaced.append((name, obstacle)) }
      case .obstacle(let obstacle): unplaced.append((name, obstacle))
      }
    }
    for name in names where name.hasSuffix(Self.suffix + RecoveredStream.badSuffix) {
      putAside += 1
      let problem = "an agent could not read it and renamed it"
      unplaced.append((name, Obstacle(what: .putAside, problem: problem)))
    }
    segments.sort { $0.header.generation < $1.header.generation }
    identify(storage, folder: folder, store: store)
  }

  private func wrongSize(_ size: Int) -> Obstacle? {
    guard size != segmentBytes else { return nil }
    return Obstacle(what: .wrongSize, problem: "\(size) bytes; a segment has \(segmentBytes)")
  }

  /// The size that most have; of two that are as frequent the larger: files are cut, not stretched.
  private static func mostFrequent(_ sizes: [Int]) -> Int {
    let counts = Dictionary(sizes.map { ($0, 1) }, uniquingKeysWith: +)
    return counts.max { ($0.value, $0.key) < ($1.value, $1.key) }?.key ?? 0
  }

  // MARK: Headers

  private enum Look {
    case gone
    case blank
    case segment(SegmentHeader)
    case obstacle(Obstacle)
  }

  private static func look(
    at path: String, _ stream: StreamName, _ storage: any Storage
  ) -> (size: Int, Look) {
    var last = (size: 0, Look.gone)
    for look in 0..<looks {
      if look > 0 { usleep(pauseMicroseconds) }
      last = lookOnce(at: path, stream, storage)
      guard case .obstacle = last.1 else { return last }
    }
    return last
  }

  private static func lookOnce(
    at path: String, _ stream: StreamName, _ storage: any Storage
  ) -> (size: Int, Look) {
    var size = 0
    do {
      let file = try storage.open(path, creating: false)
      size = try file.size()
      let bytes = try file.read(SegmentHeader.bytes, at: 0)
      guard let header = try SegmentHeader.decode(bytes) else {
        // What was never begun holds nothing either.
        let first = try file.read(SegmentHeader.bytes, at: SegmentHeader.bytes)
        guard first.contains(where: { $0 != 0 }) else { return (size, .blank) }
        let problem = "a header of zeros before what is none"
        return (size, .obstacle(Obstacle(what: .damagedHeader, problem: problem)))
      }
      guard header.stream == stream else {
        let problem = "a segment of the stream \(header.stream)"
        return (size, .obstacle(Obstacle(what: .damagedHeader, problem: problem)))
      }
      return (size, .segment(header))
    } catch SegmentHeaderError.newerVersion(let found, let known) {
      let error = SegmentHeaderError.newerVersion(found: found, known: known)
      return (size, .obstacle(Obstacle(what: .newerVersion, problem: error.description)))
    } catch let error as SystemError {
      if error.code == ENOENT { return (0, .gone) }
      return (size, .obstacle(Obstacle(what: .unreadableFile, problem: error.reason)))
    } catch {
      return (size, .obstacle(Obstacle(what: .damagedHeader, problem: "\(error)")))
    }
  }

  // MARK: Damaged headers

  /// Frames are seeded with their segment's generation: where one of a file's frames is valid with
  /// a generation that is missing, the file is that segment, whatever its header has become.
  private mutating func identify(_ storage: any Storage, folder: String, store: UInt64?) {
    guard let store = segments.last?.header.store ?? store, segmentBytes > SegmentHeader.bytes
    else { return }
    let sample = SegmentHeader(
      stream: stream, generation: 0, store: store, epoch: 0, firstSeq: 0,
      definitions: segments.last?.header.definitions ?? 0)
    var missing = missingGenerations
    var rest: [(name: String, obstacle: Obstacle)] = []
    for (name, obstacle) in unplaced {
      guard obstacle.what != .unreadableFile, obstacle.what != .newerVersion,
        let file = try? storage.open(folder + "/" + name, creating: false),
        let bytes = try? file.read(segmentBytes, at: 0),
        let header = missing.lazy.compactMap({ generation in
          Self.header(ofGeneration: generation, like: sample, in: bytes)
        }).first
      else {
        rest.append((name, obstacle))
        continue
      }
      missing.removeAll { $0 == header.generation }
      segments.append(Entry(name: name, header: header, obstacle: obstacle))
    }
    unplaced = rest
    segments.sort { $0.header.generation < $1.header.generation }
  }

  private var missingGenerations: [UInt64] {
    let there = Set(segments.map(\.header.generation))
    guard let first = there.min(), let last = there.max() else {
      return (1...UInt64(files) + Self.reach).reversed()
    }
    let low = first > Self.reach ? first - Self.reach : 1
    // From the newest on: of those there are at most as many as files, and a few more.
    let wide = min(last - low, UInt64(segments.count + files) + 2 * Self.reach)
    return (last - wide...last + Self.reach).reversed().filter { !there.contains($0) }
  }

  private static func header(
    ofGeneration generation: UInt64, like sample: SegmentHeader, in bytes: [UInt8]
  ) -> SegmentHeader? {
    var header = sample
    header.generation = generation
    return bytes.withUnsafeBytes { buffer in
      for version in (1...SegmentHeader.currentVersion).reversed() {
        header.version = version
        var walk = SegmentWalk(buffer, header: header)
        while let step = walk.next() {
          guard case .batch(let found) = step else { continue }
          header.epoch = found.key.epoch
          header.firstSeq = found.key.seq
          return header
        }
      }
      return nil
    }
  }
}
