import Telemetry
import Testing

@testable import Buffering

@Suite("Texts in the store")
struct TextCodingTests {
  private let device = DeviceSchema(name: "meter", points: ["serial", "power"])

  private func sample(_ serial: Outcome, _ power: Outcome, at time: Int64) -> DefinedSample {
    DefinedSample(
      Sample(
        device: device, time: Timestamp(monotonic: time, offset: 0, clock: .synced),
        outcomes: [
          PointOutcome(point: 0, outcome: serial), PointOutcome(point: 1, outcome: power),
        ]),
      definitions: 5)
  }

  @Test("Texts of any length come back, beside numbers, reasons and each other")
  func roundTrip() {
    let long = String(repeating: "风", count: 85)
    let serials: [Outcome] = [
      .good(.text("SN-1")), .good(.text("SN-1")), .good(.text("SN-2")), .bad(.timeout),
      .good(.text("SN-2")), .good(.int(7)), .good(.text("")), .good(.text("")),
      .good(.text(long)), .bad(.outOfRange, raw: .text(long)), .good(.text(long)),
      .good(.bool(true)), .good(.text("true")),
    ]
    var written = SampleCodingTests.Written()
    for (index, serial) in serials.enumerated() {
      let power = Outcome.good(.float32(Float(index)))
      written.append([sample(serial, index % 2 == 0 ? power : serial, at: Int64(index) * 1000)])
    }
    let read = SampleCodingTests.read(written.writer.bytes)
    #expect(read.map(\.seq) == serials.indices.map { 100 + UInt64($0) })
    for (index, batch) in read.enumerated() {
      SampleCodingTests.check(batch.content, written, index, "\(serials[index])")
    }
  }

  @Test("A text that stays the same takes no room after the first")
  func unchanged() {
    func bytes(_ serial: String) -> Int {
      var written = SampleCodingTests.Written()
      for index in 0..<10 {
        written.append([
          sample(.good(.text(serial)), .good(.bool(true)), at: Int64(index) * 1000)
        ])
      }
      return written.writer.count
    }
    // Once in the key, and its length.
    #expect(bytes(String(repeating: "x", count: 100)) - bytes("") == 100)
  }
}
