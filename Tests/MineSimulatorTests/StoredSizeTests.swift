import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Buffering
@testable import MineSimulator

@Suite("Bytes a value in the store")
struct StoredSizeTests {
  static let start = Timestamp(monotonic: 5_000_000, offset: 1_760_000_000_000, clock: .synced)

  /// Devices that are read every second, each point a signal that is given as it is served.
  struct Mine {
    var devices: [DeviceSchema]
    var value: (_ device: Int, _ point: Int, _ milliseconds: Int64) -> Value

    init(
      devices: Int, points: Int,
      value: @escaping (_ device: Int, _ point: Int, _ milliseconds: Int64) -> Value
    ) {
      self.devices = (1...devices).map { device in
        DeviceSchema(name: "station-\(device)", points: (1...points).map { "methane-\($0)" })
      }
      self.value = value
    }

    /// Bytes of frames and segments' headers a value, where each sample is a batch of its own.
    func bytesAValue(seconds: Int64) throws -> Double {
      var settings = JournalSettings(
        directory: "store", dataBytes: 64 << 20, eventsBytes: 4 << 20, commitMilliseconds: 1000,
        destinations: [DestinationName("province")], definitions: [1], agentVersion: "test",
        boot: BootID(rawValue: 1))
      settings.segmentBytes = 1 << 20
      let store = try JournalStore(
        settings, storage: MemoryStorage(), clock: ManualClock())
      var values = 0
      var generator = SeededGenerator(seed: 1)
      for second in 0..<seconds {
        for (number, device) in devices.enumerated() {
          // Answers come within a few milliseconds of when they are due.
          let due = second * 1000 + Int64(number) * 1000 / Int64(devices.count)
          var time = StoredSizeTests.start
          time.monotonic += due + .random(in: 0...3, using: &generator)
          let outcomes = device.points.indices.map { point in
            PointOutcome(point: point, outcome: .good(value(number, point, due)))
          }
          let sample = Sample(device: device, time: time, outcomes: outcomes)
          var appended = 0
          try store.append([DefinedSample(sample, definitions: 1)], appended: &appended)
          values += outcomes.count
        }
      }
      return Double(store.journal.usedBytes(of: .data)) / Double(values)
    }
  }

  /// Methane and wind as the demo's mine has them, in turn.
  static func signal(_ device: Int, _ point: Int, _ milliseconds: Int64) -> Double {
    let noise = Noise(seed: 520_201, device: "\(device)", point: "\(point)")
    let signal: Signal =
      point.isMultiple(of: 2)
      ? .methane(Methane(base: 0.28, noise: 0.02, burst: 0.7, burstEvery: 240_000))
      : .wave(Wave(mean: 4, amplitude: 1.5, period: 120_000, noise: 0.2))
    return signal.value(at: milliseconds, noise: noise)
  }

  @Test("256 float points of the simulator's mine take less than 4.5 bytes a value")
  func mine() throws {
    let full = Mine(devices: 16, points: 16) { .float32(Float(Self.signal($0, $1, $2))) }
    let bytes = try full.bytesAValue(seconds: 300)
    // A week of 256 values a second in 1 GiB.
    #expect(bytes < 6.9)
    #expect(bytes < 4.5)
    // What `check` reckons with.
    #expect(abs(StoreForecast.bytesPerSecond(values: 16, samples: 1) / 16 - bytes) < 0.3)
    print("simulator's mine, float32 with all its digits: \(bytes) bytes a value")
  }

  @Test("Float points that step by a hundredth, as sensors do, take less than 3 bytes a value")
  func hundredths() throws {
    let sensors = Mine(devices: 16, points: 16) { device, point, milliseconds in
      .float32(Float((Self.signal(device, point, milliseconds) * 100).rounded() / 100))
    }
    let bytes = try sensors.bytesAValue(seconds: 300)
    #expect(bytes < 3)
    print("simulator's mine, float32 in hundredths: \(bytes) bytes a value")
  }

  @Test("White noise in float32 takes no more than 5.5 bytes a value")
  func whiteNoise() throws {
    var generator = SeededGenerator(seed: 3)
    let noise = Mine(devices: 16, points: 16) { _, _, _ in
      .float32(Float(bitPattern: .random(in: 0...(.max), using: &generator)))
    }
    let bytes = try noise.bytesAValue(seconds: 300)
    #expect(bytes <= 5.5)
    print("white noise in all bits of float32: \(bytes) bytes a value")
  }

  @Test("Two scaled integers of a unit on a serial line take less than 9 bytes a value")
  func serial() throws {
    let line = Mine(devices: 10, points: 2) { device, point, milliseconds in
      .decimal(
        mantissa: Int64((Self.signal(device, point, milliseconds) * 100).rounded()), decimals: 2)
    }
    let bytes = try line.bytesAValue(seconds: 1200)
    #expect(bytes < 9)
    print("RTU batches of 2 points, decimal: \(bytes) bytes a value")
    let floats = Mine(devices: 10, points: 2) { .float32(Float(Self.signal($0, $1, $2))) }
    let float = try floats.bytesAValue(seconds: 1200)
    #expect(abs(StoreForecast.bytesPerSecond(values: 2, samples: 1) / 2 - float) < 0.5)
    print("RTU batches of 2 points, float32: \(float) bytes a value")
  }
}
