import TestSupport
import Testing

@testable import EdgeReceive

@Suite struct DamagedPayloadTests {
  @Test("Damaged payloads never crash anything", arguments: 0..<8 as Range<UInt64>)
  func survivesDamage(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let mine = HandMade()
    let texts = [
      mine.live(3), mine.start(previous: mine.previous(epoch: 0, data: 9, clean: false)),
      mine.gap(2, from: 1, to: 3), mine.health(newest: 4), mine.state("online"),
    ]
    var account = Account()
    for _ in 0..<500 {
      guard var message = texts.randomElement(using: &generator) else { return }
      for _ in 0...Int.random(in: 0..<4, using: &generator) {
        let index = Int.random(in: message.payload.indices, using: &generator)
        switch Int.random(in: 0..<3, using: &generator) {
        case 0: message.payload[index] = UInt8.random(in: .min ... .max, using: &generator)
        case 1: message.payload.insert(UInt8(ascii: "9"), at: index)
        default: if message.payload.count > 1 { message.payload.remove(at: index) }
        }
      }
      account.add(message)
    }
    let report = account.report()
    #expect(report.messages.total == 500)
    #expect(report.messages.malformed > 0)
  }
}
