import Foundation
import Telemetry
import Testing

@testable import Drivers
@testable import EdgeAgent

/// The shipped profiles against requests and answers as they go over a serial line, checksum and
/// all: captured, or made by hand from the manual.
@Suite("Shipped device profiles")
struct ProfileTests {
  private func device(_ profile: String, _ more: String = "") throws -> ModbusDevice {
    let configuration = try Fixtures.load(
      text: """
        gateway: { id: gw-1, mine: "0520", region: "520201" }
        buses: { line-1: { tcp: { host: 10.20.0.5 } } }
        devices:
          d: { bus: line-1, unit: 1, profile: \(profile)\(more) }
        uplinks: { province: { url: mqtt://broker.example } }
        """)
    return try #require(configuration.buses.first?.devices.first)
  }

  private func bytes(_ text: String) throws -> [UInt8] {
    let bytes = text.split(separator: " ").compactMap { UInt8($0, radix: 16) }
    return try #require(bytes.count == text.split(separator: " ").count ? bytes : nil)
  }

  /// What the points say that `answer` has all registers of, by name. Both frames are checked as
  /// the driver checks them, and the profile's table against the request's function.
  private func read(
    _ device: ModbusDevice, _ request: String, _ answer: String
  ) throws -> [String: Outcome] {
    let asked = try #require(ModbusRTUFrame(bytes(request)[...]))
    let answered = try #require(ModbusRTUFrame(bytes(answer)[...]))
    #expect(asked.unit == answered.unit)
    let table = try #require(ModbusTable.allCases.first { $0.readFunction == asked.pdu[0] })
    let first = UInt16(asked.pdu[1]) << 8 | UInt16(asked.pdu[2])
    let read = ReadRequest(
      table: table, address: first, count: Int(asked.pdu[3]) << 8 | Int(asked.pdu[4]))
    #expect(read.pdu == asked.pdu)
    guard case .values(let words) = try read.answer(from: answered.pdu) else { return [:] }
    var outcomes: [String: Outcome] = [:]
    for point in device.points where point.table == table && point.address >= first {
      let start = Int(point.address - first)
      guard start + point.type.addressCount <= words.count else { continue }
      outcomes[point.description.name] = RegisterDecoder(point).outcome(
        of: words[start..<start + point.type.addressCount])
    }
    return outcomes
  }

  private func decimal(_ mantissa: Int64, _ decimals: UInt8) -> Outcome {
    .good(.decimal(mantissa: mantissa, decimals: decimals))
  }

  @Test("Eastron SDM630: a captured voltage")
  func sdm630() throws {
    let meter = try device("eastron/sdm630")
    // Captured by marcluerssen.de, Projects:Modbus Meter.
    let outcomes = try read(meter, "01 04 00 00 00 02 71 CB", "01 04 04 43 66 33 34 1B 38")
    #expect(outcomes == ["voltage-1": .good(.float32(230.20001))])
    #expect(meter.points.allSatisfy { $0.table == .input && $0.type == .float32 })
    // The manual numbers registers from 30001: total kWh is 30343.
    #expect(meter.points.last?.address == 342)
  }

  @Test("Hiking DDS238: the captured registers of a running meter")
  func dds238() throws {
    let meter = try device("hiking/dds238")
    // Registers as github.com/dzlabing/dds238 prints them; the frame around them is made by hand.
    let outcomes = try read(
      meter, "01 03 00 00 00 12 C5 C7",
      """
      01 03 24 00 00 1B DD 02 01 00 00 00 00 00 00 00 00 00 00 00 00 09 5F 00 00 12 7D \
      09 02 00 3E 00 84 FF FE 03 95 13 87 5D 60
      """)
    #expect(
      outcomes == [
        "energy": decimal(7133, 2), "energy-export": decimal(2399, 2),
        "energy-import": decimal(4733, 2), "voltage": decimal(2306, 1),
        "current": decimal(62, 2), "power": .good(.int(132)),
        "reactive-power": decimal(-2, 3), "power-factor": decimal(917, 3),
        "frequency": decimal(4999, 2),
      ])
  }

  @Test("Renke RS-FS-N01: the manual's request, an answer made by hand")
  func renke() throws {
    let outcomes = try read(
      device("renke/rs-fs-n01"), "01 03 00 00 00 01 84 0A", "01 03 02 00 7D 78 65")
    #expect(outcomes == ["wind": decimal(125, 1)])
  }

  @Test("QDY30A: the published request, an answer made by hand; the site says what it counts")
  func qdy30a() throws {
    let asMade = try device("qdy/qdy30a")
    let request = "01 03 00 04 00 01 C5 CB"
    let answer = "01 03 02 04 D2 3A D9"
    #expect(try read(asMade, request, answer) == ["level": .good(.int(1234))])
    let site = try device("qdy/qdy30a", ", points: { level: { unit: m, scale: 0.01 } }")
    #expect(try read(site, request, answer) == ["level": decimal(1234, 2)])
    #expect(
      try read(site, "01 03 00 02 00 03 A4 0B", "01 03 06 00 07 00 02 04 D2 B7 E8") == [
        "unit-code": .good(.uint(7)), "decimals-code": .good(.uint(2)), "level": decimal(1234, 2),
      ])
    #expect(asMade.points.first?.description.enumeration?[7] == "mH2O")
  }

  @Test("The example's station")
  func example() throws {
    let station = try device("example/methane-wind")
    // 0.52 %CH4 and 4.7 m/s, made by hand.
    let ch4 = try read(station, "01 03 00 00 00 02 C4 0B", "01 03 04 3F 05 1E B8 EF F4")
    #expect(ch4 == ["ch4": .good(.float32(0.52))])
  }

  @Test("A profile says how a device wants to be asked; the device's own keys go before")
  func manners() throws {
    #expect(try device("eastron/sdm630").maximumRegisters == 80)
    let asMade = try device("limited/meter")
    #expect((asMade.turnaroundMilliseconds, asMade.pauseMilliseconds) == (30, 5))
    let site = try device("limited/meter", ", pause: 20ms, max-registers: 30")
    #expect((site.turnaroundMilliseconds, site.pauseMilliseconds) == (30, 20))
    #expect((site.maximumRegisters, site.maximumBits) == (30, 64))
  }

  @Test("Every shipped profile says what it is and where its numbers come from, and is tested here")
  func allProfiles() throws {
    let folder = Fixtures.root.appending(path: "boards/devices")
    let files = try #require(
      FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
    )
    .compactMap { $0 as? URL }.filter { $0.pathExtension == "yaml" }
    let tests = try String(contentsOf: URL(filePath: #filePath), encoding: .utf8)
    #expect(files.count >= 5)
    for file in files {
      let name = file.deletingPathExtension().path.split(separator: "/").suffix(2)
        .joined(separator: "/")
      #expect(tests.contains("device(\"\(name)\""), "\(name) has no test")
      let text = try String(contentsOf: file, encoding: .utf8)
      #expect(text.contains("\ndescription: ") && text.contains("\nsource: "), "\(name)")
    }
  }
}
