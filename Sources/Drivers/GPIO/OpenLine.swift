internal import Glibc
internal import LinuxSystem
internal import Telemetry

/// A line that this process holds, and how it came by it.
struct OpenLine {
  /// The line itself.
  let line: GPIOLine
  /// Where it was found.
  let place: LinePlace
  /// Whether the kernel debounces it.
  let isDebouncedByKernel: Bool

  /// What a level line without interrupt lacks.
  static let noInterruptWords = "no-interrupt: changes between samples are not seen"

  /// What others lack.
  private static let uselessWords =
    "no interrupt, so its changes can't be seen or counted; use another input"

  /// Asks the kernel for a line.
  typealias Taking = (GPIOLine.Request) throws(SystemError) -> GPIOLine

  /// What the line can't do though it can be read.
  var lack: String? { line.descriptor == nil ? Self.noInterruptWords : nil }

  /// Finds and requests a line, with what the definition asks for as far as the kernel can do it:
  /// its debounce where it has one, edges where the line has an interrupt. A contact without can
  /// still be read, if that is of use.
  init(
    _ definition: LineDefinition, queueSize: UInt32 = GPIOLine.queueSize,
    taking take: Taking = GPIOLine.init
  ) throws(LineFault) {
    let place = try definition.address.find()
    var request = GPIOLine.Request(
      path: place.path, offset: place.offset, isActiveLow: definition.isActiveLow,
      bias: definition.bias, hasEdges: true,
      debounceMilliseconds: definition.debounceMilliseconds, queueSize: queueSize)
    do throws(SystemError) {
      self.init(line: try take(request), place: place, isDebounced: request.hasDebounce)
      return
    } catch {
      guard error.mayBeOfAnOption else { throw Self.fault(error, at: place) }
    }
    if request.hasDebounce {
      request.debounceMilliseconds = 0
      do throws(SystemError) {
        self.init(line: try take(request), place: place, isDebounced: false)
        return
      } catch {
        guard error.mayBeOfAnOption else { throw Self.fault(error, at: place) }
      }
    }
    request.hasEdges = false
    let line: GPIOLine
    do throws(SystemError) {
      line = try take(request)
    } catch {
      throw Self.fault(error, at: place, bias: definition.bias)
    }
    guard definition.purpose == .level, !definition.needsEdges else {
      var fault = LineFault(.lineMissing, "\(place.description): \(Self.uselessWords)")
      fault.place = place.description
      throw fault
    }
    self.init(line: line, place: place, isDebounced: false)
  }

  private init(line: GPIOLine, place: LinePlace, isDebounced: Bool) {
    self.line = line
    self.place = place
    isDebouncedByKernel = isDebounced
  }

  /// What kept a line that was found from being had.
  private static func fault(
    _ error: SystemError, at place: LinePlace, bias: LineBias = .asIs
  ) -> LineFault {
    var fault = LineFault(error)
    fault.place = place.description
    if error.code == EBUSY {
      // It may be held only since it was found.
      let consumer = (try? GPIOChip(path: place.path).line(place.offset).consumer) ?? ""
      fault.consumer = consumer.isEmpty ? "the kernel or a program without a name" : consumer
      fault.text = "\(place.description) is held by \(fault.consumer ?? "")"
    } else if error.code == EINVAL, bias != .asIs {
      fault.text += "; bias \(bias.rawValue) needs Linux 5.5"
    }
    return fault
  }
}

extension GPIOLine.Request {
  fileprivate var hasDebounce: Bool { debounceMilliseconds > 0 }
}

extension SystemError {
  /// The kernel's own ENOTSUPP, which drivers let through though no program is meant to see it.
  private static let kernelNotSupported: Int32 = 524

  /// Whether a request with fewer wishes may succeed: no debounce, or no interrupt (ENODEV of
  /// simulated lines). Also what a chip that went away says, and then the next request fails, too.
  fileprivate var mayBeOfAnOption: Bool {
    [EINVAL, ENOTSUP, Self.kernelNotSupported, ENOSYS, ENXIO, ENODEV, ENOTTY, EIO].contains(code)
  }
}
