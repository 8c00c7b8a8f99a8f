internal import Buffering
internal import CStoreFloor
internal import Glibc
internal import LinuxSystem

/// Measures the store on a real disk, beside the least that could be done there.
@main
enum Main {
  private static let usage = """
    usage: bench-store [--directory DIR] [--runs N] [--recovered MIB] [--quick]
      --directory DIR   on the disk to measure; a directory is made in it and removed (/var/tmp)
      --runs N          medians of so many runs (3)
      --recovered MIB   the size of the store that is opened (1024)
      --quick           a twentieth of everything
    """
  private static let usageStatus: Int32 = 64

  static func main() {
    guard let options = Options(CommandLine.arguments.dropFirst()) else {
      print(usage)
      exit(usageStatus)
    }
    var template = Array("\(options.directory)/bench-store-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      print("bench-store: \(options.directory): \(String(cString: strerror(errno)))")
      exit(1)
    }
    let directory = String(
      decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    defer { removeTree(directory) }
    do {
      try Bench(directory: directory, options: options).run()
    } catch {
      print("bench-store: \(error)")
      removeTree(directory)
      exit(1)
    }
  }
}

struct Options {
  var directory = "/var/tmp"
  var runs = 3
  var recoveredMebibytes = 1024
  var isQuick = false

  /// `nil` for arguments that make no sense.
  init?(_ arguments: ArraySlice<String>) {
    var rest = arguments
    while let flag = rest.popFirst() {
      if flag == "--quick" {
        isQuick = true
        continue
      }
      guard let value = rest.popFirst() else { return nil }
      switch flag {
      case "--directory": directory = value
      case "--runs":
        guard let number = Int(value), number > 0 else { return nil }
        runs = number
      case "--recovered":
        guard let number = Int(value), number > 1 else { return nil }
        recoveredMebibytes = number
      default: return nil
      }
    }
    if isQuick { recoveredMebibytes = max(2, recoveredMebibytes / 20) }
  }
}
