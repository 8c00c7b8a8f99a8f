internal import ConfigurationFile
internal import Glibc

/// Where board files (`NAME.yaml`) and device profiles (`devices/VENDOR/NAME.yaml`) are looked for;
/// the first directory that has a file wins.
struct BoardDirectories: Sendable, Hashable {
  /// Where the package installs them.
  static let installed = "/usr/share/edge-agent/boards"
  /// Directories in place of the usual ones, separated by colons.
  static let environmentVariable = "EDGE_AGENT_BOARDS"

  /// The directories, without a slash at their end.
  var paths: [String]

  /// Looks in the given directories only.
  init(_ paths: [String]) { self.paths = paths }

  /// Looks where `EDGE_AGENT_BOARDS` says, else in `boards` beside the configuration file (a
  /// technician's own files, which may replace shipped ones), then where the package installs.
  init(forConfiguration path: String, environment: String?) {
    let named = (environment ?? "").split(separator: ":").map(String.init)
    guard named.isEmpty else {
      paths = named
      return
    }
    let folder = path.lastIndex(of: "/").map { path[...$0] } ?? ""
    paths = [folder + "boards", Self.installed]
  }

  /// The same, with the environment of this process.
  init(forConfiguration path: String) {
    let value = getenv(Self.environmentVariable).map { String(cString: $0) }
    self.init(forConfiguration: path, environment: value)
  }

  /// Reads a board file; `nil` after a problem. The generic board needs no file: it names nothing.
  func board(
    _ name: String, namedAt place: ConfigurationValue, log: ProblemLog
  ) -> BoardDescription? {
    let file = "\(name).yaml"
    if name == BoardDescription.genericName, path(of: file) == nil { return .generic }
    return root(of: file, namedAt: place, log: log)?.mapping(BoardDescription.init)
  }

  /// The root of the file at `relative` in the first directory that has it.
  func root(
    of relative: String, namedAt place: ConfigurationValue, log: ProblemLog
  ) -> ConfigurationValue? {
    guard let found = path(of: relative) else {
      place.refuse(
        "there is no file \(relative)", "it is looked for in \(paths.joined(separator: ", "))")
      return nil
    }
    return ConfigurationDocument.load(path: found, log: log)
  }

  private func path(of relative: String) -> String? {
    paths.lazy.map { "\($0)/\(relative)" }.first { access($0, F_OK) == 0 }
  }
}
