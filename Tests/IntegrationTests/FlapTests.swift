import TestSupport
import Testing

@Suite("Flapping links", .ownThread)
struct FlapTests {
  @Test("Half a minute of links that come and go loses nothing and leaves nothing behind")
  func halfMinute() throws {
    let result = try ChildProcess.run(
      Programs.sourceTree + "/scripts/flap", ["--seconds", "30", "--seed", "7"],
      environment: ["EDGE_PROGRAMS": Programs.directory])
    print(result.output)
    #expect(result.output.contains("\ncomplete\n"), "\(result.output)\(result.errors)")
    // Sanitized programs keep memory of their own.
    if Programs.givenDirectory != nil { #expect(result.status == 0) }
  }
}
