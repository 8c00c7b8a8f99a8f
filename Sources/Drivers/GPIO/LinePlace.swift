internal import Glibc
internal import LinuxSystem
internal import Telemetry

/// Why a line can't be had.
struct LineFault: Error, Sendable, Hashable {
  /// The reason that its samples bear.
  var reason: BadReason
  /// What is wrong, and what would help.
  var text: String
  /// Who else holds it, where that is the reason.
  var consumer: String?

  init(_ reason: BadReason, _ text: String, consumer: String? = nil) {
    self.reason = reason
    self.text = text
    self.consumer = consumer
  }

  /// A call that failed on a chip or a line of it.
  init(_ error: SystemError) {
    switch error.code {
    case EACCES, EPERM: self.init(.refused, "\(error); \(Self.permissionWords)")
    case EBUSY: self.init(.lineBusy, error.description)
    default: self.init(.lineMissing, error.description)
    }
  }

  private static let permissionWords =
    "the agent's user has to be in the group gpio, and a udev rule has to give the chips to it: "
    + #"SUBSYSTEM=="gpio", KERNEL=="gpiochip*", GROUP="gpio", MODE="0660""#
}

/// A line that was found.
struct LinePlace: Sendable, Hashable {
  /// Its chip's device.
  var path: String
  /// What the kernel calls the chip.
  var chip: String
  /// What the chip's driver calls it.
  var label: String
  /// The line's number on the chip.
  var offset: UInt32
  /// What the kernel says of the line.
  var line: GPIOChip.Line

  /// As `status` and `probe` name it, such as `gpiochip0 (bank-a) line 4 "DI1"`.
  var description: String {
    let name = line.name.isEmpty ? "" : " \"\(line.name)\""
    return "\(chip) (\(label)) line \(offset)\(name)"
  }
}

extension LineAddress {
  /// Looks for the line among the chips that this machine has now.
  func find() throws(LineFault) -> LinePlace {
    switch self {
    case .offset(let chip, let offset): try GPIOChips(of: chip).line(offset)
    case .name(let name, let chip): try GPIOChips(of: chip).line(named: name)
    }
  }
}

/// The chips that a configuration's words may mean.
private struct GPIOChips {
  private static let folder = "/dev"
  private static let prefix = "gpiochip"
  /// As many as fit into a message.
  private static let namedAtMost = 8

  private var chips: [GPIOChip] = []
  /// What chips could not be opened for.
  private var refusal: SystemError?
  private let word: String?

  /// Those whose label, name or path is `word`; all of them for `nil`.
  init(of word: String?) throws(LineFault) {
    self.word = word
    if let word, word.contains("/") {
      do throws(SystemError) { chips = [try GPIOChip(path: word)] } catch { throw LineFault(error) }
      return
    }
    var all: [GPIOChip] = []
    for path in Self.paths() {
      do throws(SystemError) {
        let chip = try GPIOChip(path: path)
        // Raspberry Pi OS links /dev/gpiochip4 to gpiochip0: one chip by two paths.
        if !all.contains(where: { $0.name == chip.name }) { all.append(chip) }
      } catch {
        // One that went just now is no problem, and neither is one that no line is on.
        if error.code == EACCES || error.code == EPERM { refusal = refusal ?? error }
      }
    }
    chips = all.filter { word == nil || $0.name == word || $0.label == word }
    guard chips.isEmpty else { return }
    if let refusal { throw LineFault(refusal) }
    let there = all.prefix(Self.namedAtMost).map { "\($0.name) (\($0.label))" }
    let found = there.isEmpty ? "no GPIO chip" : there.joined(separator: ", ")
    let wanted = word.map { "no chip has the label or name \"\($0)\"; " } ?? ""
    throw LineFault(.lineMissing, "\(wanted)this machine has \(found)")
  }

  /// A line by its number, if one chip is meant.
  func line(_ offset: UInt32) throws(LineFault) -> LinePlace {
    guard let chip = chips.first else { throw LineFault(.lineMissing, "no chip") }
    if chips.count > 1 {
      let names = chips.prefix(Self.namedAtMost).map(\.name).joined(separator: " and ")
      throw LineFault(
        .lineMissing,
        "the chip \"\(word ?? "")\" is ambiguous: \(names) have that label; name the line, or the "
          + "chip by its path")
    }
    guard offset < chip.lineCount else {
      throw LineFault(
        .lineMissing,
        "\(chip.name) (\(chip.label)) has the lines 0 to \(chip.lineCount - 1), "
          + "no line \(offset)")
    }
    return try place(of: offset, on: chip)
  }

  /// A line by its name, if only one has it.
  func line(named name: String) throws(LineFault) -> LinePlace {
    var found: [LinePlace] = []
    for chip in chips {
      for offset in 0..<chip.lineCount {
        let place = try place(of: offset, on: chip)
        if place.line.name == name { found.append(place) }
      }
    }
    if found.count > 1 {
      let places = found.prefix(Self.namedAtMost).map(\.description).joined(separator: " and ")
      throw LineFault(
        .lineMissing, "the line \"\(name)\" is ambiguous: \(places) have that name; name the chip")
    }
    if let place = found.first { return place }
    if let refusal { throw LineFault(refusal) }
    let chips = chips.prefix(Self.namedAtMost).map { "\($0.name) (\($0.label))" }
    throw LineFault(
      .lineMissing, "no line is named \"\(name)\" on \(chips.joined(separator: ", "))")
  }

  private func place(of offset: UInt32, on chip: GPIOChip) throws(LineFault) -> LinePlace {
    do throws(SystemError) {
      return LinePlace(
        path: chip.path, chip: chip.name, label: chip.label, offset: offset,
        line: try chip.line(offset))
    } catch {
      throw LineFault(error)
    }
  }

  /// The devices of all chips, by their numbers.
  private static func paths() -> [String] {
    guard let handle = opendir(folder) else { return [] }
    defer { closedir(handle) }
    var numbers: [UInt32] = []
    while let entry = readdir(handle) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      guard name.hasPrefix(prefix), let number = UInt32(name.dropFirst(prefix.count)) else {
        continue
      }
      numbers.append(number)
    }
    return numbers.sorted().map { "\(folder)/\(prefix)\($0)" }
  }
}
