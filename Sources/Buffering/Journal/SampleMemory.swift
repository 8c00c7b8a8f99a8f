/// What coding builds on for all devices of a segment, since the last key.
struct SampleMemory {
  private struct Device {
    /// Of its points in `points`.
    var first = 0
    var count = 0
    /// The key since which it holds something.
    var key: UInt64 = 0
    var time: Int64 = 0
    var interval: Int64 = 0
    /// Whether a sample of it followed the key.
    var isSeen = false
  }

  private var devices: [Device] = []
  private var points: [PointMemory] = []
  private var key: UInt64 = 1
  /// Of the last sample, whichever device it was of.
  private var time: Int64 = 0

  /// Forgets all: a key follows.
  mutating func beginKey() {
    key += 1
    time = 0
  }

  /// When a sample of the device is expected: its last time and interval, its last time, or the
  /// time of the sample before. Call it before anything else of a sample.
  mutating func expectedTime(device number: Int, points count: Int) -> Int64 {
    while devices.count <= number { devices.append(Device()) }
    if devices[number].count < count {
      devices[number].first = points.count
      devices[number].count = count
      points.append(contentsOf: repeatElement(PointMemory(), count: count))
    }
    let device = devices[number]
    if device.key == key { return device.time &+ device.interval }
    devices[number].key = key
    devices[number].isSeen = false
    for index in device.first..<device.first + device.count { points[index].forget() }
    devices[number].time = time
    devices[number].interval = 0
    return time
  }

  /// Notes a sample's time, after it was coded.
  mutating func note(_ time: Int64, device number: Int) {
    devices[number].interval = devices[number].isSeen ? time &- devices[number].time : 0
    devices[number].isSeen = true
    devices[number].time = time
    self.time = time
  }

  /// Lends what is kept of a device's points.
  mutating func withPoints<Result, Failure: Error>(
    ofDevice number: Int,
    _ body: (UnsafeMutableBufferPointer<PointMemory>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let range = devices[number].first..<devices[number].first + devices[number].count
    return try points.withUnsafeMutableBufferPointer { buffer throws(Failure) in
      try body(UnsafeMutableBufferPointer(rebasing: buffer[range]))
    }
  }
}
