import Foundation
import TestSupport
import Testing

/// scripts/install into a root of the test, looked at by systemd's own programs.
@Suite("Installing as a service", .ownThread)
struct InstallTests {
  private let directory: TemporaryDirectory
  private var root: String { directory.file("root") }
  private var configuration: String { root + "/etc/edge-agent/agent.yaml" }

  init() throws { directory = try TemporaryDirectory() }

  @discardableResult
  private func run(_ program: String, _ arguments: String...) throws -> String {
    let result = try ChildProcess.run(program, arguments)
    try #require(
      result.status == 0, "\(program) \(arguments): \(result.output)\(result.errors)")
    return result.output + result.errors
  }

  private func install(_ arguments: String...) throws {
    let result = try ChildProcess.run(
      Programs.sourceTree + "/scripts/install", ["--root", root] + arguments)
    try #require(result.status == 0, "\(result.output)\(result.errors)")
  }

  private func installed() -> [String] {
    (FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? []).filter {
      var isDirectory: ObjCBool = false
      _ = FileManager.default.fileExists(atPath: root + "/" + $0, isDirectory: &isDirectory)
      return !isDirectory.boolValue
    }.sorted()
  }

  @Test("Everything is at its place, and what is there of the configuration is kept")
  func places() throws {
    try install("--program", Programs.agent)
    for file in [
      "usr/bin/edge-agent", "usr/lib/systemd/system/edge-agent.service",
      "usr/lib/sysusers.d/edge-agent.conf", "usr/lib/tmpfiles.d/edge-agent.conf",
      "usr/lib/udev/rules.d/60-edge-agent.rules", "usr/share/edge-agent/boards/generic.yaml",
      "usr/share/edge-agent/boards/devices/example/methane-wind.yaml",
      "usr/share/doc/edge-agent/service.md", "etc/edge-agent/agent.yaml",
    ] {
      #expect(installed().contains(file), "\(file)")
    }
    let attributes = try FileManager.default.attributesOfItem(atPath: configuration)
    #expect(attributes[.posixPermissions] as? Int == 0o640)
    let program = try ChildProcess.run(root + "/usr/bin/edge-agent", ["--version"])
    #expect(program.output == "0.1.0\n")
    // The example is one that the program takes.
    let check = try ChildProcess.run(
      root + "/usr/bin/edge-agent", ["check", "-c", configuration],
      environment: ["EDGE_AGENT_BOARDS": root + "/usr/share/edge-agent/boards"])
    #expect(check.status == 0, "\(check.errors)")

    try write("mine: own\n", to: configuration)
    try write("old", to: root + "/usr/share/edge-agent/boards/of-an-earlier-version.yaml")
    let before = installed()
    try install("--program", Programs.agent)
    #expect(text(of: configuration) == "mine: own\n")
    #expect(
      Set(before).subtracting(installed()).map { $0.hasSuffix("earlier-version.yaml") } == [true])
  }

  @Test("Removing leaves configuration and data, and nothing else")
  func uninstall() throws {
    try install("--program", Programs.agent)
    try FileManager.default.createDirectory(
      atPath: root + "/var/lib/edge-agent", withIntermediateDirectories: true)
    try write("batches", to: root + "/var/lib/edge-agent/data")
    try install("--uninstall")
    #expect(installed() == ["etc/edge-agent/agent.yaml", "var/lib/edge-agent/data"])
    // Once more is no error.
    try install("--uninstall")
  }

  @Test("Without a program, or with an option that it does not know, nothing is done")
  func refused() throws {
    let script = Programs.sourceTree + "/scripts/install"
    let missing = try ChildProcess.run(script, ["--root", root, "--program", "/no/program"])
    #expect(missing.status == 66)
    #expect(missing.errors.contains("/no/program"))
    #expect(try ChildProcess.run(script, ["--rot", root]).status == 64)
    #expect(installed() == [])
  }

  @Test("Where a file can't be put in its place, it fails, and the boards stay as they were")
  func noRoom() throws {
    try install("--program", Programs.agent)
    let before = installed()
    try write("in the way", to: root + "/usr/share/edge-agent/boards.new")
    try FileManager.default.moveItem(
      atPath: root + "/usr/share/edge-agent", toPath: root + "/usr/share/aside")
    try write("in the way", to: root + "/usr/share/edge-agent")
    let result = try ChildProcess.run(
      Programs.sourceTree + "/scripts/install", ["--root", root, "--program", Programs.agent])
    #expect(result.status != 0, "\(result.output)")
    #expect(!result.output.contains("installed"))
    try FileManager.default.removeItem(atPath: root + "/usr/share/edge-agent")
    try FileManager.default.moveItem(
      atPath: root + "/usr/share/aside", toPath: root + "/usr/share/edge-agent")
    // What an attempt left that was broken off is cleared away.
    try install("--program", Programs.agent)
    #expect(installed() == before)
  }

  @Test("systemd takes the unit, and finds it exposed to no more than 2.0")
  func unit() throws {
    try install("--program", Programs.agent)
    let units = root + "/usr/lib/systemd/system"
    // What the unit hangs on in every Debian.
    let shipped = try FileManager.default.contentsOfDirectory(atPath: "/lib/systemd/system")
    for target in shipped where target.hasSuffix(".target") {
      try FileManager.default.copyItem(
        atPath: "/lib/systemd/system/\(target)", toPath: "\(units)/\(target)")
    }
    try FileManager.default.createDirectory(
      atPath: root + "/bin", withIntermediateDirectories: true)
    try FileManager.default.copyItem(atPath: "/bin/kill", toPath: root + "/bin/kill")
    // An unknown setting is a warning only.
    #expect(try run("systemd-analyze", "verify", "--root", root, "edge-agent.service") == "")
    try run(
      "systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20",
      units + "/edge-agent.service")
    // Canary: the threshold bites.
    let stricter = try ChildProcess.run(
      "systemd-analyze",
      ["security", "--offline=true", "--no-pager", "--threshold=10", units + "/edge-agent.service"])
    #expect(stricter.status == 1)
  }

  @Test("The driver of every serial port that is allowed and may be a module is loaded before")
  func modules() throws {
    let unit = lines(of: Programs.sourceTree + "/systemd/edge-agent.service")
    // Drivers' names in /proc/devices, and their modules; the other ones are built into kernels.
    let modules = ["ttyUSB": "usbserial", "ttyACM": "cdc_acm", "ttySC": "sc16is7xx"]
    for (driver, module) in modules {
      #expect(unit.contains("DeviceAllow=char-\(driver) rw"))
      for key in ["Wants=", "After="] {
        #expect(
          unit.contains { $0.hasPrefix(key) && $0.contains("modprobe@\(module).service") },
          "\(key) \(module)")
      }
    }
  }

  @Test("User, groups and directories are made, repeatably", .enabled(if: geteuid() == 0))
  func userAndDirectories() throws {
    try install("--program", Programs.agent)
    for _ in 1...2 {
      try run("systemd-sysusers", "--root=" + root, "edge-agent.conf")
      try run("systemd-tmpfiles", "--root=" + root, "--create", "edge-agent.conf")
    }
    let user = try #require(lines(of: root + "/etc/passwd").first { $0.hasPrefix("edge-agent:") })
    #expect(user.hasSuffix(":/usr/sbin/nologin"))
    for group in ["dialout", "gpio"] {
      let line = lines(of: root + "/etc/group").first { $0.hasPrefix(group + ":") }
      #expect(line?.hasSuffix(":edge-agent") == true)
    }
    let id = Int(user.split(separator: ":")[2])
    let expected: [(path: String, owner: Int?, mode: Int)] = [
      ("/etc/edge-agent", 0, 0o750), ("/etc/edge-agent/agent.yaml", 0, 0o640),
      ("/var/lib/edge-agent", id, 0o750),
    ]
    for (path, owner, mode) in expected {
      let attributes = try FileManager.default.attributesOfItem(atPath: root + path)
      #expect(attributes[.ownerAccountID] as? Int == owner, "\(path)")
      #expect(attributes[.posixPermissions] as? Int == mode, "\(path)")
      #expect(
        attributes[.groupOwnerAccountID] as? Int == Int(user.split(separator: ":")[3]), "\(path)")
    }
  }
}
