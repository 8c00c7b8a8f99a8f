import Glibc
import LinuxSystem
import Telemetry
import TestSupport
import Testing

@testable import Drivers

extension GPIOKernel {
  @Suite("GPIO lines found on a real kernel")
  struct Lookup {
    private func finding(_ address: LineAddress) throws -> LineFinding {
      var line = LineDefinition.line("input", "", 0)
      line.address = address
      return try #require(LineSurvey.of([line]).first)
    }

    @Test("A line is found by its chip's label, name or path, and by its own name")
    func found() throws {
      let chip = try SimulatedChip(label: "cabinet", lines: [3: "DI3"])
      let place = "\(chip.name) (cabinet) line 3 \"DI3\""
      let addresses: [LineAddress] = [
        .offset(chip: "cabinet", offset: 3), .offset(chip: chip.name, offset: 3),
        .offset(chip: chip.path, offset: 3), .name("DI3"), .name("DI3", chip: "cabinet"),
      ]
      for address in addresses {
        let finding = try finding(address)
        #expect(finding.place == place)
        #expect(finding.fault == nil)
        #expect(finding.consumer == nil)
      }
    }

    @Test("A line that is not there is told with what is")
    func missing() throws {
      let chip = try SimulatedChip(label: "drawer", lineCount: 4)
      let cases: [(LineAddress, String)] = [
        (.offset(chip: "cupboard", offset: 0), "no chip has the label or name \"cupboard\"; "),
        (
          .offset(chip: "drawer", offset: 4),
          "\(chip.name) (drawer) has the lines 0 to 3, no line 4"
        ),
        (.name("DI9", chip: "drawer"), "no line is named \"DI9\" on \(chip.name) (drawer)"),
        (.offset(chip: "/dev/gpiochip99", offset: 0), "open /dev/gpiochip99: No such file"),
      ]
      for (address, text) in cases {
        let finding = try finding(address)
        #expect(finding.fault == .lineMissing)
        #expect(finding.text?.hasPrefix(text) == true, "\(finding.text ?? "")")
        #expect(finding.place == nil)
      }
      #expect(try finding(cases[0].0).text?.contains("\(chip.name) (drawer)") == true)
    }

    @Test("A label or a name that several have is told with all of them")
    func ambiguous() throws {
      let chips = [
        try SimulatedChip(label: "twin", lines: [0: "DI1"]),
        try SimulatedChip(label: "twin", lines: [2: "DI1"]),
      ]
      let names = chips.map(\.name).sorted()
      let byLabel = try finding(.offset(chip: "twin", offset: 0))
      #expect(byLabel.fault == .lineMissing)
      #expect(byLabel.text?.contains("ambiguous: \(names[0]) and \(names[1])") == true)
      let byName = try finding(.name("DI1"))
      #expect(byName.fault == .lineMissing)
      #expect(names.allSatisfy { byName.text?.contains($0) == true })
      #expect(try finding(.name("DI1", chip: names[1])).fault == nil)
    }

    @Test("A chip that a link names too is one chip")
    func linked() throws {
      let chip = try SimulatedChip(label: "linked", lines: [3: "LINKED-3"])
      let link = "/dev/gpiochip4000000000"
      try systemCall("symlink", on: link) { symlink(chip.name, link) }
      defer { unlink(link) }
      let addresses: [LineAddress] = [
        .offset(chip: "linked", offset: 3), .offset(chip: chip.name, offset: 3),
        .offset(chip: link, offset: 3), .name("LINKED-3"), .name("LINKED-3", chip: "linked"),
      ]
      for address in addresses {
        let finding = try finding(address)
        #expect(finding.fault == nil, "\(finding.text ?? "")")
        #expect(finding.place == "\(chip.name) (linked) line 3 \"LINKED-3\"")
      }
    }

    @Test("A survey names who holds a line, and takes none")
    func survey() throws {
      let chip = try SimulatedChip(label: "survey", hogs: [1: "relay"])
      let lines: [LineDefinition] = [.line("free", "survey", 0), .line("held", "survey", 1)]
      let findings = LineSurvey.of(lines)
      #expect(findings.map(\.fault) == [nil, .lineBusy])
      #expect(findings.map(\.consumer) == [nil, "relay"])
      #expect(findings[1].text == "\(chip.name) (survey) line 1 is held by relay")
      let held = try OpenLine(lines[0])
      let own = try #require(LineSurvey.of(lines).first)
      #expect(own.fault == nil)
      #expect(own.consumer == GPIOLine.consumer)
      #expect(held.place.offset == 0)
    }

    @Test("A line is read once and given back")
    func reading() throws {
      let chip = try SimulatedChip(label: "reading", hogs: [1: "relay"])
      try chip.drive(0, high: true)
      let line = LineDefinition.line("input", "reading", 0)
      for _ in 0..<2 {
        let finding = LineReading.read(line)
        #expect(finding.isActive == true)
        #expect(finding.fault == nil)
      }
      let held = LineReading.read(.line("held", "reading", 1))
      #expect(held.fault == .lineBusy)
      #expect(held.isActive == nil)
      #expect(held.consumer == "relay")
    }
  }
}
