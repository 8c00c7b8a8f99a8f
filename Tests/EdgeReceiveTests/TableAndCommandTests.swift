import ArgumentParser
import Testing

@testable import EdgeReceive

@Suite struct LiveTableTests {
  private let mine = HandMade()

  private func table(_ messages: [ArrivedMessage]) -> LiveTable {
    var table = LiveTable()
    for message in messages { table.add(Content(message), isRepeat: false) }
    return table
  }

  @Test("It shows each point's newest value with unit, age and quality")
  func showsNewest() {
    let bad = """
      {"device":"fan-1","time":\(mine.offset + 2000),"values":{},\
      "bad":{"speed":"timeout","ch4":"out-of-range"},"raw":{"ch4":4.5}}
      """
    let definitions = """
      {"v":1,"devices":[{"device":"return-air","points":[{"point":"ch4","unit":"%CH4"}]}]}
      """
    let table = table([
      mine.message("points/b1946ac9", definitions), mine.live(2), mine.live(1, on: "data/history"),
      mine.message("data", mine.batch(3, samples: [bad])), mine.state("online"),
      mine.health(newest: 3),
    ])
    let lines = table.lines(now: mine.offset + 3500, rows: 24, columns: 120)
    #expect(
      lines == [
        "points 3 live 3 history 1 bad 2 repeats 0 malformed 0 gateways: gw-1 online "
          + "[device/fan-1: timeout]",
        "DEVICE      POINT  VALUE  UNIT  AGE    QUALITY     ",
        "fan-1       ch4    (4.5)        1.5 s  out-of-range",
        "fan-1       speed  -            1.5 s  timeout     ",
        "return-air  ch4    0.21   %CH4  1.5 s  good        ",
      ])
  }

  @Test("It stays within the terminal")
  func fitsTerminal() {
    let samples = (0..<50).map { mine.sample(1, "1", device: "device-\($0)") }
    let lines = table([mine.message("data", mine.batch(1, samples: samples))])
      .lines(now: mine.offset, rows: 10, columns: 20)
    #expect(lines.count == 9)
    #expect(lines.last == "… 44 more")
    #expect(lines.allSatisfy { $0.count <= 20 })
  }

  @Test("A publisher that invents names does not fill the memory")
  func isBounded() {
    var table = LiveTable()
    for index in 0..<11 {
      let samples = (0..<1000).map { mine.sample(1, "1", device: "device-\(index)-\($0)") }
      let message = mine.message("data", mine.batch(index + 1, samples: samples))
      table.add(Content(message), isRepeat: false)
    }
    #expect(table.summary.hasPrefix("points \(LiveTable.largestPointCount) "))
  }
}

@Suite struct CommandTests {
  @Test(
    "A broker is named by its URL",
    arguments: [
      ("mqtt://127.0.0.1:1884", "127.0.0.1", UInt16(1884)),
      ("mqtt://broker.example", "broker.example", 1883),
      ("mqtt://[::1]:9", "::1", 9), ("mqtt://[::1]", "::1", 1883),
      ("mqtts://broker.example", "broker.example", 8883), ("mqtts://[::1]:9", "::1", 9),
    ])
  func url(_ text: String, _ host: String, _ port: UInt16) throws {
    let url = try BrokerURL(text)
    #expect((url.host, url.port) == (host, port))
    #expect(url.isSecure == text.hasPrefix("mqtts"))
  }

  @Test(
    "A URL that is not understood is refused",
    arguments: [
      "", "127.0.0.1", "wss://a", "mqtts://", "mqtt://", "mqtt://:1883", "mqtt://a:0",
      "mqtt://a:70000",
      "mqtt://a:", "mqtt://a/b", "mqtt://u@a", "mqtt://[::1", "mqtt://[::1]x",
    ])
  func badURL(_ text: String) {
    #expect(throws: UsageProblem.self) { try BrokerURL(text) }
  }

  @Test(
    "Options that don't go together are refused",
    arguments: [
      "--store s", "--verify", "--url mqtt://a", "--store s --url mqtt://a --json",
      "--store s --url mqtt://a --truth t", "--store s --verify --url mqtt://a",
      "--store s --verify --table", "--store s --url mqtt://a --seconds 0", "--store s --url a",
      "--store s --url mqtt://a --ca-file c", "--store s --verify --ca-file c",
      "--store s --url mqtts://a --certificate-file c", "--store s --url mqtts://a --key-file k",
    ])
  func badOptions(_ line: String) {
    #expect(throws: (any Error).self) {
      try EdgeReceiveCommand.parse(line.split(separator: " ").map(String.init))
    }
  }

  @Test("The documented command lines are taken")
  func goodOptions() throws {
    let receive = try EdgeReceiveCommand.parse(
      ["--url", "mqtt://127.0.0.1:1883", "--store", "s", "--table", "--seconds", "5"])
    #expect(receive.topic == "mine/v1/#")
    _ = try EdgeReceiveCommand.parse(
      [
        "--url", "mqtts://127.0.0.1", "--store", "s", "--ca-file", "a", "--certificate-file", "c",
        "--key-file", "k",
      ])
    let verify = try EdgeReceiveCommand.parse(
      ["--store", "s", "--verify", "--truth", "t", "--since", "1", "--since", "2", "--json"])
    #expect(verify.since == [1, 2])
  }
}
