/// Hands out the members of a mapping by key and remembers which were asked for. Only
/// `ConfigurationValue.mapping` makes one, and it reports the keys that nobody asked for.
public final class MappingReader {
  /// The mapping itself, for problems of the whole.
  public let value: ConfigurationValue
  private let members: [YAMLNode.Member]
  private let indices: [String: Int]
  private var known: [String] = []
  private var takesAll = false

  init(_ value: ConfigurationValue, _ members: [YAMLNode.Member]) {
    self.value = value
    self.members = members
    indices = Dictionary(
      members.enumerated().map { ($1.key, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// The keys as written, in order.
  public var keys: [String] { members.map(\.key) }

  /// An optional setting; `nil` if it is absent.
  public func take(_ key: String) -> ConfigurationValue? {
    known.append(key)
    return indices[key].map { member(members[$0]) }
  }

  /// A setting that has to be there; its absence is reported with what it would be.
  public func require(_ key: String, _ expected: String) -> ConfigurationValue? {
    if let found = take(key) { return found }
    let missing = ConfigurationValue(
      node: value.node, keyPosition: value.position, path: value.path + [key], file: value.file,
      log: value.log)
    missing.log.add(
      ConfigurationProblem(
        file: missing.file, position: value.position, path: missing.pathText, what: "is missing",
        expected: "\(expected) is expected"))
    return nil
  }

  /// Refuses settings that the format names and this version has not built.
  public func refuseAsUnsupported(_ keys: String...) {
    for key in keys { take(key)?.refuseAsUnsupported() }
  }

  /// All members of a mapping whose keys are the technician's own names. A key that is no name is
  /// reported, and its member still returned, so that its own problems show too.
  public func takeNamed() -> [(name: String, value: ConfigurationValue)] {
    takeMembers { nameFault($0).map { ($0, nameRule) } }
  }

  /// All members of a mapping whose keys are printed on a case, such as `COM1`: 1…64 bytes without
  /// control characters.
  public func takePrinted() -> [(name: String, value: ConfigurationValue)] {
    takeMembers { key in
      let isPrinted =
        !key.isEmpty && key.utf8.count <= nameLimit
        && key.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
      return isPrinted
        ? nil
        : ("\(quoted(key)) can't be printed on a case", "1 to \(nameLimit) bytes are expected")
    }
  }

  private func takeMembers(
    _ fault: (String) -> (what: String, expected: String)?
  ) -> [(name: String, value: ConfigurationValue)] {
    takesAll = true
    return members.map { found in
      let value = member(found)
      if let fault = fault(found.key) {
        value.log.add(
          ConfigurationProblem(
            file: value.file, position: found.keyPosition, path: value.pathText,
            what: fault.what, expected: fault.expected))
      }
      return (found.key, value)
    }
  }

  private func member(_ member: YAMLNode.Member) -> ConfigurationValue {
    ConfigurationValue(
      node: member.value, keyPosition: member.keyPosition,
      path: value.path + [pathComponent(member.key)], file: value.file, log: value.log)
  }

  func reportUnknownKeys() {
    guard !takesAll else { return }
    for found in members where !known.contains(found.key) {
      value.log.add(
        ConfigurationProblem(
          file: value.file, position: found.keyPosition, path: member(found).pathText,
          what: "unknown key", expected: hint(for: found.key)))
    }
  }

  private func hint(for key: String) -> String {
    nearest(to: key, among: known).map { "did you mean \($0)?" }
      ?? "known here: " + known.joined(separator: ", ")
  }
}

/// Keys beyond this are cut in messages.
private let pathComponentLimit = 64

/// A key as it stands in the path of a message.
private func pathComponent(_ key: String) -> String {
  let scalars = key.unicodeScalars
  if scalars.isEmpty { return "\"\"" }
  guard scalars.count > pathComponentLimit else { return printable(key) }
  return printable(String(scalars.prefix(pathComponentLimit))) + "…"
}
