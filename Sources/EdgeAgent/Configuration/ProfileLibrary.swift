internal import ConfigurationFile

/// What a profile says of a kind of device.
struct DeviceProfile {
  /// What its first address is, 0 or 1; whoever adds to it copies from the same manual.
  var addressBase: Int64
  var points: NamedPoints
  var limits: RequestLimitSettings
  var pacing: PacingSettings
}

/// The device profiles that a configuration names, each read once.
final class ProfileLibrary {
  private let boards: BoardDirectories
  private let log: ProblemLog
  private var known: [String: DeviceProfile?] = [:]

  /// Looks for profiles in the boards' directories.
  init(boards: BoardDirectories, log: ProblemLog) {
    self.boards = boards
    self.log = log
  }

  /// The profile that a device names, such as `example/methane-wind`; `nil` after a
  /// problem.
  func profile(namedAt place: ConfigurationValue) -> DeviceProfile? {
    let form = "VENDOR/NAME, both of a-z, 0-9 and -,"
    guard let name = place.text(form) else { return nil }
    if let profile = known[name] { return profile }
    guard isProfileName(name) else {
      place.refuse("is not the name of a profile", "\(form) is expected")
      return nil
    }
    let root = boards.root(of: "devices/\(name).yaml", namedAt: place, log: log)
    // A profile that does not exist is reported at each device that names it.
    guard let root else { return nil }
    let profile = root.mapping(Self.profile)
    known[name] = .some(profile)
    return profile
  }

  /// A profile's root: its points, what device it is, and where its numbers come from.
  private static func profile(_ file: MappingReader) -> DeviceProfile? {
    _ = file.take("description")?.text("the device in words")
    _ = file.take("source")?.text("where the addresses come from")
    let base = file.take("address-base").map { $0.integer(in: 0...1) } ?? 0
    let section = file.require("points", "a section with the device's points")
    let limits = RequestLimitSettings.read(file)
    let pacing = PacingSettings.read(file)
    let points = section.flatMap { readPoints($0, addressBase: base ?? 0) }
    return points.map {
      DeviceProfile(addressBase: base ?? 0, points: $0, limits: limits, pacing: pacing)
    }
  }

  /// Two names with a slash between; anything else could leave the directory.
  private func isProfileName(_ text: String) -> Bool {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    return parts.count == 2 && parts.allSatisfy { isName($0) }
  }
}
