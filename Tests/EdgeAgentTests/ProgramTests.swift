import Foundation
import TestSupport
import Testing

/// `edge-agent` as users run it: exit statuses, what it prints and where.
@Suite("The program edge-agent", .ownThread)
struct ProgramTests {
  private static let boards =
    "\(Programs.sourceTree)/Tests/Fixtures/configurations/boards:\(Programs.sourceTree)/boards"
  private static let fixtures = "\(Programs.sourceTree)/Tests/Fixtures/configurations"

  private func run(
    _ arguments: String...
  ) throws -> (status: Int32, output: String, errors: String) {
    try ChildProcess.run(
      Programs.agent, arguments, environment: ["EDGE_AGENT_BOARDS": Self.boards])
  }

  @Test(
    "A wrong configuration ends check and run with 78 and every line on standard error",
    arguments: ["check", "run"], ["duplicate-unit", "devices", "unclosed-quote", "broken-board"])
  func wrongConfiguration(command: String, name: String) throws {
    let path = "\(Self.fixtures)/invalid/\(name).yaml"
    let result = try run(command, "-c", path)
    let lines = result.errors.replacingOccurrences(of: path, with: "FILE")
      .replacingOccurrences(of: Self.fixtures + "/boards", with: "BOARDS")
      .replacingOccurrences(of: Programs.sourceTree + "/boards", with: "SHIPPED")
    #expect(lines == text(of: "\(Self.fixtures)/invalid/\(name).expected"))
    #expect(!lines.isEmpty)
    #expect(result.output == "")
    #expect(result.status == 78)
  }

  @Test("A configuration that is not there is named")
  func missingConfiguration() throws {
    let result = try run("check", "-c", "/no/agent.yaml")
    #expect(result.status == 78)
    #expect(result.errors.hasPrefix("/no/agent.yaml:"), "\(result.errors)")
    #expect(result.errors.contains("No such file or directory"), "\(result.errors)")
    #expect(result.errors.split(separator: "\n").count == 1)
  }

  @Test("check prints the plan on standard output, as text or as JSON, and ends with 0")
  func check() throws {
    let path = "\(Self.fixtures)/valid/contract.yaml"
    for (arguments, golden) in [(["check"], "txt"), (["check", "--json"], "json")] {
      let result = try ChildProcess.run(
        Programs.agent, arguments + ["--configuration", path],
        environment: ["EDGE_AGENT_BOARDS": Self.boards])
      // What the machine knows of the time is its own, and so are its GPIO lines.
      let plan = result.output.replacing(
        /clock of this machine: (not )?synchronised, .*\n/, with: ""
      )
      .replacing(/"clock":{"state":"(un)?synced","real-time-clocks":\[[^\]]*\]},/, with: "")
      .replacing(/\ \ (found: .*|WARNING: .* until that is mended)\n/, with: "")
      .replacing(/,"found":"([^"\\]|\\.)*"/, with: "")
      .replacing(/,?"([^"\\]|\\.)*until that is mended"/, with: "")
      #expect(plan != result.output)
      #expect(plan == text(of: "\(Self.fixtures)/valid/contract.plan.\(golden)"))
      #expect(result.errors == "")
      #expect(result.status == 0)
    }
  }

  @Test(
    "Wrong usage ends with 64 and says how it is used",
    arguments: [
      ["walk"], ["check", "--yaml"], ["run", "-c"], ["check", "one", "two"], ["run", "--json"],
    ])
  func wrongUsage(arguments: [String]) throws {
    let result = try ChildProcess.run(Programs.agent, arguments)
    #expect(result.status == 64)
    #expect(result.errors.contains("Usage: edge-agent"), "\(result.errors)")
    #expect(result.output == "")
  }

  @Test("The version is that of the changelog, help names the commands")
  func help() throws {
    let version = try run("--version")
    #expect(version.status == 0)
    #expect(version.output == "0.1.0\n")
    #expect(text(of: Programs.sourceTree + "/CHANGELOG.md").contains("0.1.0"))
    let help = try run("--help")
    #expect(help.status == 0)
    #expect(help.output.contains("check") && help.output.contains("run"))
  }

  @Test("Completion scripts are made for each shell", arguments: ["bash", "zsh", "fish"])
  func completions(shell: String) throws {
    let result = try run("--generate-completion-script", shell)
    #expect(result.status == 0)
    #expect(result.output.contains("edge-agent") && result.output.contains("check"))
    // The shells that are here take them.
    guard shell == "bash" else { return }
    let directory = try TemporaryDirectory()
    try write(result.output, to: directory.file("script"))
    let parsed = try ChildProcess.run("bash", ["-n", directory.file("script")])
    #expect(parsed.status == 0, "\(parsed.errors)")
  }
}
