import Glibc
import TestSupport

extension Broker {
  /// Publishes payloads of one line each, in order, and waits until the broker has them.
  func publish(_ payloads: [String], to topic: String, retained: Bool = false) throws {
    let directory = try TemporaryDirectory()
    try write(payloads.map { $0 + "\n" }.joined(), to: directory.file("payloads"))
    let result = try ChildProcess.run(
      "mosquitto_pub",
      ["-V", "5", "-q", "1", "-p", "\(port)", "-t", topic, "-l"] + (retained ? ["-r"] : []),
      input: directory.file("payloads"))
    guard result.status == 0 else { throw WaitedInVain("mosquitto_pub: \(result.errors)") }
  }
}
