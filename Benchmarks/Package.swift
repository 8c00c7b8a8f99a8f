// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]

let cStrict: [CSetting] = [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])]

let package = Package(
  name: "edge-benchmarks",
  products: [
    // The load: what the driver runs around each contestant, and the floor among them.
    .executable(name: "bench-slave", targets: ["Slave"]),
    .executable(name: "bench-subscriber", targets: ["Subscriber"]),
    .executable(name: "bench-floor", targets: ["Floor"]),
    // The field side alone: a line as slow as a wire, and nothing but libmodbus.
    .executable(name: "bench-line", targets: ["Line"]),
    .executable(name: "bench-loop", targets: ["Loop"]),
    // What single steps of the agent cost.
    .executable(name: "bench-micro", targets: ["Micro"]),
    // What the store makes of a disk.
    .executable(name: "bench-store", targets: ["StoreBench"]),
  ],
  // Named, because the name of a checkout's folder is anybody's.
  dependencies: [.package(name: "edge-agent", path: "..")],
  targets: [
    // The load. Plain linking: a module map would clash with the agent's of the same library.
    .executableTarget(name: "Slave", dependencies: ["Recording"], cSettings: cStrict),
    .executableTarget(
      name: "Subscriber", dependencies: ["Recording"], cSettings: cStrict,
      linkerSettings: [.linkedLibrary("mosquitto")]),
    .executableTarget(
      name: "Floor", dependencies: ["Recording"], cSettings: cStrict,
      linkerSettings: [.linkedLibrary("modbus"), .linkedLibrary("mosquitto")]),
    .executableTarget(name: "Line", dependencies: ["Recording"], cSettings: cStrict),
    .executableTarget(
      name: "Loop", dependencies: ["Recording"], cSettings: cStrict,
      linkerSettings: [.linkedLibrary("modbus")]),
    .target(name: "Recording", cSettings: cStrict),

    // The store on a disk.
    .target(
      name: "CStoreFloor", cSettings: cStrict, linkerSettings: [.linkedLibrary("sqlite3")]),
    .executableTarget(
      name: "StoreBench",
      dependencies: ["CStoreFloor", .product(name: "EdgeModules", package: "edge-agent")],
      swiftSettings: strict),

    // The micro benchmarks.
    .target(name: "CAllocations", cSettings: cStrict),
    .executableTarget(
      name: "Micro",
      dependencies: ["CAllocations", .product(name: "EdgeModules", package: "edge-agent")],
      swiftSettings: strict),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .gnu11
)
