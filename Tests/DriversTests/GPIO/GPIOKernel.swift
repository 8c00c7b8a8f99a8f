import TestSupport
import Testing

/// What needs simulated chips, and so the machine of Tests/Hardware; one after the other.
@Suite("GPIO on a kernel", .ownThread, .serialized, .enabled(if: SimulatedChip.isSupported))
enum GPIOKernel {}
