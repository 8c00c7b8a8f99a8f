public import Telemetry

/// A sample and the digest of the point definitions that it was read under. They travel together,
/// because a configuration may change while samples of the old one are still on their way.
public struct DefinedSample: Sendable, Hashable {
  /// What was read.
  public var sample: Sample
  /// Digest of the `points/<digest>` payload that describes its points.
  public var definitions: UInt32

  /// Pairs a sample with its definitions.
  public init(_ sample: Sample, definitions: UInt32) {
    self.sample = sample
    self.definitions = definitions
  }
}
