// swift-tools-version: 6.2
import PackageDescription

// Each setting closes a class of mistakes; see docs/decisions/0001-package-and-modules.md.
let strict: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),  // SE-0335
  .enableUpcomingFeature("InternalImportsByDefault"),  // SE-0409
  .enableUpcomingFeature("MemberImportVisibility"),  // SE-0444
  .enableUpcomingFeature("InferIsolatedConformances"),  // SE-0470
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),  // SE-0461
  .treatAllWarnings(as: .error),
]

let cStrict: [CSetting] = [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])]

let package = Package(
  name: "edge-agent",
  products: [
    .executable(name: "edge-agent", targets: ["EdgeAgent"]),
    .executable(name: "mine-simulator", targets: ["MineSimulator"]),
    .executable(name: "edge-receive", targets: ["EdgeReceive"]),
    // What Benchmarks/ measures.
    .library(
      name: "EdgeModules",
      targets: [
        "Telemetry", "LinuxSystem", "ConfigurationFile", "Drivers", "Buffering", "Uplink",
      ]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
  ],
  targets: [
    .target(name: "Telemetry", swiftSettings: strict),

    .target(name: "CLinux", path: "Sources/LinuxSystem/CLinux", cSettings: cStrict),
    .target(
      name: "LinuxSystem", dependencies: ["Telemetry", "CLinux"], exclude: ["CLinux"],
      swiftSettings: strict),

    .systemLibrary(
      name: "CYaml", path: "Sources/ConfigurationFile/CYaml", pkgConfig: "yaml-0.1",
      providers: [.apt(["libyaml-dev"])]),
    .target(
      name: "ConfigurationFile", dependencies: ["LinuxSystem", "CYaml"], exclude: ["CYaml"],
      swiftSettings: strict),

    .systemLibrary(
      name: "CModbus", path: "Sources/Drivers/CModbus", pkgConfig: "libmodbus",
      providers: [.apt(["libmodbus-dev"])]),
    .systemLibrary(
      name: "CGpiod", path: "Sources/Drivers/GPIO/CGpiod", pkgConfig: "libgpiod",
      providers: [.apt(["libgpiod-dev"])]),
    .target(
      name: "CGPIO", dependencies: ["CGpiod"], path: "Sources/Drivers/GPIO/CGPIO",
      cSettings: cStrict),
    .target(
      name: "Drivers", dependencies: ["Telemetry", "LinuxSystem", "CModbus", "CGPIO"],
      exclude: ["CModbus", "GPIO/CGpiod", "GPIO/CGPIO"], swiftSettings: strict),

    .target(
      name: "Buffering", dependencies: ["Telemetry", "LinuxSystem"], swiftSettings: strict),

    .systemLibrary(
      name: "CMosquitto", path: "Sources/MQTT/CMosquitto", pkgConfig: "libmosquitto",
      providers: [.apt(["libmosquitto-dev"])]),
    .systemLibrary(
      name: "COpenSSL", path: "Sources/MQTT/COpenSSL", pkgConfig: "openssl",
      providers: [.apt(["libssl-dev"])]),
    .target(
      name: "MQTT", dependencies: ["LinuxSystem", "CMosquitto", "COpenSSL"],
      exclude: ["CMosquitto", "COpenSSL"], swiftSettings: strict),
    .target(
      name: "Uplink", dependencies: ["Telemetry", "LinuxSystem", "Buffering", "MQTT"],
      swiftSettings: strict),

    .executableTarget(
      name: "EdgeAgent",
      dependencies: [
        "Telemetry", "LinuxSystem", "ConfigurationFile", "Drivers", "Buffering", "MQTT", "Uplink",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),

    .executableTarget(
      name: "MineSimulator",
      dependencies: [
        "Telemetry", "LinuxSystem", "ConfigurationFile",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),

    .systemLibrary(
      name: "CSQLite", path: "Sources/EdgeReceive/CSQLite", pkgConfig: "sqlite3",
      providers: [.apt(["libsqlite3-dev"])]),
    .executableTarget(
      name: "EdgeReceive",
      dependencies: [
        "Telemetry", "LinuxSystem", "MQTT", "CSQLite",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      exclude: ["CSQLite"], swiftSettings: strict),

    .target(
      name: "TestSupport", dependencies: ["Telemetry", "LinuxSystem", "Buffering"],
      path: "Tests/Support", swiftSettings: strict),
    .testTarget(name: "TelemetryTests", dependencies: ["Telemetry", "TestSupport"]),
    .testTarget(
      name: "LinuxSystemTests", dependencies: ["LinuxSystem", "Telemetry", "TestSupport"]),
    .testTarget(
      name: "ConfigurationFileTests", dependencies: ["ConfigurationFile", "TestSupport"]),
    .testTarget(
      name: "DriversTests",
      dependencies: ["Drivers", "CModbus", "Telemetry", "LinuxSystem", "TestSupport"]),
    .testTarget(
      name: "BufferingTests",
      dependencies: ["Buffering", "Telemetry", "LinuxSystem", "TestSupport"]),
    .testTarget(
      name: "UplinkTests",
      dependencies: ["Uplink", "MQTT", "Buffering", "Telemetry", "LinuxSystem", "TestSupport"]),
    .testTarget(
      name: "EdgeAgentTests",
      dependencies: [
        "EdgeAgent", "ConfigurationFile", "Drivers", "Buffering", "MQTT", "Uplink", "Telemetry",
        "LinuxSystem", "TestSupport",
      ]),
    .testTarget(
      name: "MineSimulatorTests",
      dependencies: [
        "MineSimulator", "Telemetry", "LinuxSystem", "ConfigurationFile", "Buffering", "CModbus",
        "TestSupport",
      ]),
    .testTarget(
      name: "EdgeReceiveTests",
      dependencies: [
        "EdgeReceive", "Telemetry", "TestSupport",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .testTarget(name: "TidyTests", dependencies: ["Telemetry", "TestSupport"]),
    .testTarget(
      name: "IntegrationTests",
      dependencies: ["Telemetry", "LinuxSystem", "TestSupport"]),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .gnu11
)
