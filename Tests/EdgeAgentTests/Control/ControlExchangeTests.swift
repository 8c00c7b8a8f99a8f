import Telemetry
import Testing

@testable import EdgeAgent

@Suite("A request at the control socket")
struct ControlExchangeTests {
  private let start = ContinuousClock.now

  private func answer(_ request: ControlRequest) throws(ControlRefusal) -> [UInt8] {
    guard request.command == "status" else { throw ControlRefusal(.unknownCommand, "no") }
    return Array("{}".utf8)
  }

  private func said(_ exchange: ControlExchange) throws -> JSONFields {
    guard case .answer(let rest) = exchange.phase else {
      throw ControlRefusal(.malformedRequest, "\(exchange.phase) is no answer")
    }
    #expect(rest.last == UInt8(ascii: "\n"))
    #expect(rest.filter { $0 == UInt8(ascii: "\n") }.count == 1)
    return try JSONFields(try JSONParser.parse(rest))
  }

  @Test("It is answered once its line is complete, however it is cut, and not before")
  func pieces() throws {
    let request = ControlProtocol.request("status")
    for cut in 1..<request.count {
      var exchange = ControlExchange(start: start)
      exchange.take(request[..<cut], at: start, answer)
      #expect(exchange.phase == .request)
      exchange.take(request[cut...], at: start, answer)
      #expect(try said(exchange).members.isEmpty)
    }
  }

  @Test("What follows the line is nobody's business")
  func trailer() throws {
    var exchange = ControlExchange(start: start)
    exchange.take(ControlProtocol.request("status") + Array("more\n".utf8), at: start, answer)
    #expect(try said(exchange).members.isEmpty)
    exchange.take(ControlProtocol.request("dance"), at: start, answer)
    #expect(try said(exchange).members.isEmpty)
  }

  @Test(
    "What is no request is answered with a word",
    arguments: [
      ("hello", "malformed-request"), ("", "malformed-request"), ("[]", "malformed-request"),
      ("{\"v\":1}", "malformed-request"), ("{\"command\":\"status\"}", "malformed-request"),
      ("{\"v\":1,\"command\":7}", "malformed-request"), ("\u{0}\u{1}", "malformed-request"),
      ("{\"v\":2,\"command\":\"status\"}", "unsupported-version"),
      ("{\"v\":1,\"command\":\"dance\"}", "unknown-command"),
    ])
  func garbage(line: String, word: String) throws {
    var exchange = ControlExchange(start: start)
    exchange.take(Array((line + "\n").utf8), at: start, answer)
    let said = try said(exchange)
    #expect(try said.string("error") == word)
    #expect(try said.integer("v") == 1)
    #expect(try !said.string("text").isEmpty)
  }

  @Test("A request may have its limit and not a byte more, with or without an end")
  func tooLarge() throws {
    let limit = ControlProtocol.largestRequest
    var exchange = ControlExchange(start: start)
    exchange.take([UInt8](repeating: 0x20, count: limit), at: start, answer)
    #expect(exchange.phase == .request)
    var other = exchange
    exchange.take([0x20], at: start, answer)
    #expect(try said(exchange).string("error") == "too-large")
    other.take([0x0A], at: start, answer)
    #expect(try said(other).string("error") == "malformed-request")
  }

  @Test("Who is slow is told so after 2 s; who does not take the answer is left after 2 s more")
  func slow() throws {
    var exchange = ControlExchange(start: start)
    exchange.take([0x7B], at: start, answer)
    exchange.expire(at: start + .seconds(1.9))
    #expect(exchange.phase == .request)
    exchange.expire(at: start + .seconds(2))
    #expect(try said(exchange).string("error") == "too-slow")
    exchange.sent(1)
    exchange.expire(at: start + .seconds(3.9))
    #expect(exchange.phase != .over)
    exchange.expire(at: start + .seconds(4))
    #expect(exchange.phase == .over)
  }

  @Test("An answer that is taken in pieces is over with its last byte")
  func sending() {
    var exchange = ControlExchange(start: start)
    exchange.take(ControlProtocol.request("status"), at: start, answer)
    exchange.sent(2)
    #expect(exchange.phase == .answer(rest: [0x7B, 0x7D, 0x0A][2...]))
    exchange.sent(1)
    #expect(exchange.phase == .over)
  }

  @Test("Who leaves without asking is forgotten")
  func leaving() {
    var exchange = ControlExchange(start: start)
    exchange.take([], at: start, answer)
    #expect(exchange.phase == .over)
  }
}
