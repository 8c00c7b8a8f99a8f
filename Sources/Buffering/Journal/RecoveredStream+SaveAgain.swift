internal import LinuxSystem
internal import Telemetry

extension RecoveredStream {
  /// What a run may have left in the page cache only: the segment it wrote to, and the one before
  /// it, which it may have given up.
  private static let doubtfulSegments = 2

  /// Writes the last segments again, as they were read, and syncs them.
  ///
  /// A run of this boot that was killed, or whose sync failed, leaves batches, or even a segment's
  /// header, that are read from the page cache and are not on the disk. They are about to be
  /// counted as kept, so a power cut must not take them any more. After a failed sync the kernel
  /// holds such pages for clean: only what is written again is synced.
  func saveAgain(_ storage: any Storage, of settings: JournalSettings) throws(SystemError) {
    for segment in index.segments.suffix(Self.doubtfulSegments) {
      let path = "\(settings.directory)/\(index.stream)/\(segment.name)"
      let file = try storage.open(path, creating: false)
      let bytes = try file.read(segment.end, at: 0)
      guard wasWritten(bytes, segment, in: settings.boot) else { continue }
      try file.write(bytes, at: 0)
      try file.sync()
    }
  }

  /// Whether this boot wrote to the segment last, or nothing in it says who did.
  private func wasWritten(_ bytes: [UInt8], _ segment: Segment, in boot: BootID) -> Bool {
    bytes.withUnsafeBytes { bytes in
      let scan = SegmentScan(bytes, segment.header)
      guard let last = scan.lastBatch(bytes) else { return true }
      return last.context.boot == boot
    }
  }
}
