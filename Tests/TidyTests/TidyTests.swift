import Telemetry
import Testing

@Suite("The tree's own rules")
struct TidyTests {
  @Test("There is a tree to look at")
  func found() {
    #expect(Tree.sources.count > 100)
    #expect(Tree.tests.count > 50)
    #expect(Tree.all.count > Tree.sources.count + Tree.tests.count)
  }

  @Test("Nothing that ships imports Foundation")
  func foundation() {
    #expect(Tree.sources.flatMap(Rules.foundation) == [])
  }

  @Test("What ends the program or prints past the log says why")
  func bluntCalls() {
    #expect(Tree.sources.flatMap(Rules.bluntCalls) == [])
  }

  @Test("No file is longer than 400 lines, no line wider than 100 columns")
  func sizes() {
    #expect(Tree.swiftAndC.flatMap(Rules.size) == [])
    #expect(Tree.swiftAndC.flatMap(Rules.columns) == [])
  }

  @Test("Nothing is left to do in comments")
  func leftovers() {
    #expect(Tree.all.flatMap(Rules.leftovers) == [])
  }

  @Test("Each C module is imported in one folder only")
  func cModules() {
    #expect(Rules.cModules(Tree.sources) == [])
  }

  @Test("Every bad reason and every gap reason is explained to subscribers")
  func documented() throws {
    let payloads = Tree.file("docs/payloads.md")
    #expect(Rules.undocumented(BadReason.all.map(\.description), in: payloads) == [])
    let gaps = Rules.rawValues(of: "GapReason", in: Tree.file("Sources/Telemetry/Event.swift"))
    // Were the list not found, nothing would be missing.
    #expect(gaps.count >= 10)
    #expect(gaps.allSatisfy { GapReason(rawValue: $0) != nil })
    #expect(Rules.undocumented(gaps, in: payloads) == [])
  }
}

/// Each rule has to find what it is there for.
@Suite("The rules' canaries")
struct CanaryTests {
  private func file(_ text: String, at path: String = "Sources/Uplink/X.swift") -> SourceFile {
    SourceFile(path: path, text: text)
  }

  @Test(
    "Foundation is found however it is imported",
    arguments: [
      "import Foundation", "internal import Foundation", "import struct Foundation.Date",
      "  import Foundation  // for dates", "public import FoundationEssentials",
      "@preconcurrency import Foundation",
    ])
  func foundation(line: String) {
    #expect(Rules.foundation(file("import Glibc\n\(line)\n")).count == 1)
    #expect(Rules.foundation(file("// import Foundation\nlet Foundation = 1")) == [])
  }

  @Test(
    "A blunt call is found, and a reason beside it is enough",
    arguments: ["try! f()", "x as! Int", "fatalError(\"x\")", "print(1)", "{ print(1) }"])
  func bluntCalls(call: String) {
    #expect(Rules.bluntCalls(file("let a = 1\n  \(call)\n")).count == 1)
    #expect(Rules.bluntCalls(file("/// What it does.\n  \(call)\n")).count == 1)
    #expect(Rules.bluntCalls(file("  // Can't be otherwise.\n  \(call)\n")) == [])
    #expect(Rules.bluntCalls(file("  \(call)  // Can't be otherwise.\n")) == [])
    #expect(
      Rules.bluntCalls(file("  // \(call)\n\n  try? f()\n  debugPrint(1)\n  a.print(1)")) == [])
  }

  @Test("Commands may print, and do no other blunt thing")
  func commands() {
    let path = "Sources/EdgeAgent/Commands/X.swift"
    #expect(Rules.bluntCalls(file("print(1)", at: path)) == [])
    #expect(Rules.bluntCalls(file("try! f()", at: path)).count == 1)
  }

  @Test("Size is counted to the line and the column")
  func sizes() {
    #expect(Rules.size(file(String(repeating: "\n", count: 400))) == [])
    #expect(Rules.size(file(String(repeating: "\n", count: 401))).count == 1)
    #expect(Rules.columns(file(String(repeating: "°", count: 100))) == [])
    #expect(
      Rules.columns(file("\n" + String(repeating: "°", count: 101))).first?.contains(":2:") == true)
  }

  @Test("What is left to do is found in any comment", arguments: ["TO" + "DO", "FIX" + "ME"])
  func leftovers(word: String) {
    #expect(Rules.leftovers(file("let a = 1  // \(word): more")).count == 1)
    #expect(Rules.leftovers(file("let template = \"XX\" + \"XXXX\"")) == [])
    #expect(Rules.leftovers(file("// X" + "XX")).count == 1)
  }

  @Test("A C module that is imported outside its folder is found")
  func cModules() {
    let home = [
      file("module CX {}", at: "Sources/MQTT/CX/module.modulemap"),
      file("internal import CX", at: "Sources/MQTT/A.swift"),
      file("internal import CX", at: "Sources/MQTT/Deeper/B.swift"),
    ]
    #expect(Rules.cModules(home) == [])
    let stranger = file("import Glibc\ninternal import CX", at: "Sources/Uplink/C.swift")
    #expect(
      Rules.cModules(home + [stranger])
        == ["Sources/Uplink/C.swift:2: imports CX, which is for Sources/MQTT only"])
    #expect(Rules.cModules([stranger]) == ["Sources/Uplink/C.swift:2: CX has no folder"])
  }

  @Test("A word that the document only mentions is not documented")
  func documented() {
    let document = file("The `a`.\n\n| word | what |\n| --- | --- |\n| `b`, `c` | not `d` |\n")
    #expect(Rules.undocumented(["a", "b", "c", "d"], in: document) == ["a", "d"])
    let list = file("enum E: String {\n  case a\n  case bC = \"b-c\"\n}\nlet x = 1\n")
    #expect(Rules.rawValues(of: "E", in: list) == ["a", "b-c"])
  }
}
