import Testing

@testable import Buffering

@Suite("What a rate makes of a store")
struct StoreForecastTests {
  @Test("Days are room over rate, flash is what is appended, a page a sync and a page a cursor")
  func figures() {
    let forecast = StoreForecast(bytesPerSecond: 1000, commitSeconds: 2, destinations: 3)
    #expect(forecast.days(in: 864_000_000) == 10)
    let aSecond: Double = 1000 + 4096 / 2 + 3 * 4096 / 10
    #expect(abs(forecast.flashBytesPerDay(isGrowing: false) - aSecond * 86_400) < 1)
    #expect(abs(forecast.flashBytesPerDay(isGrowing: true) - (aSecond + 1000) * 86_400) < 1)
    let idle = StoreForecast(bytesPerSecond: 0, commitSeconds: 1, destinations: 1)
    #expect(idle.days(in: 1 << 30) == nil)
    #expect(idle.flashBytesPerDay(isGrowing: true) == 0)
  }

  @Test("The recent rate is that of the last hour, and begins anew where times jump")
  func rate() {
    var rate = RecentRate()
    #expect(rate.seconds == nil)
    for second in 0..<20_000 {
      rate.add(at: Int64(second) * 1000, bytes: second < 10_000 ? 7 : 100, values: 4)
    }
    #expect(rate.bytesPerSecond == 100)
    #expect(rate.valuesPerSecond == 4)
    #expect((3_500...3_600).contains(rate.seconds ?? 0))
    rate.add(at: 99_000_000, bytes: 1, values: 1)
    #expect(rate.seconds == nil)
    for second in 0..<100 { rate.add(at: Int64(second) * 1000, bytes: 3, values: 1) }
    #expect(rate.bytesPerSecond == 3)
  }
}
