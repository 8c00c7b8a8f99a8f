internal import LinuxSystem
public import Telemetry

/// What this machine has of a configured line, for `check` and `probe`.
public struct LineFinding: Sendable, Hashable {
  /// The line's configured name.
  public var line: String
  /// Where it was found, such as `gpiochip0 (bank-a) line 4 "DI1"`; `nil` if it was not.
  public var place: String?
  /// Who holds it, as it calls itself: `edge-agent` for an agent that runs.
  public var consumer: String?
  /// Whether it is active, if it was read.
  public var isActive: Bool?
  /// What its samples would bear; `nil` for a line that can be had, or that an agent has.
  public var fault: BadReason?
  /// What is wrong, and what would help; also of a line that can be read but has no interrupt.
  public var text: String?

  init(line: String) { self.line = line }

  fileprivate mutating func take(_ fault: LineFault) {
    self.fault = fault.reason
    text = fault.text
    consumer = fault.consumer ?? consumer
  }
}

/// Looks for lines without taking any of them.
public enum LineSurvey {
  /// What this machine has now of those lines, in their order. Opens the chips' devices for a
  /// moment; changes nothing, and may be asked beside an agent.
  public static func of(_ lines: [LineDefinition]) -> [LineFinding] {
    lines.map { line in
      var finding = LineFinding(line: line.name)
      do throws(LineFault) {
        let place = try line.address.find()
        finding.place = place.description
        guard place.line.isUsed else { return finding }
        finding.consumer = place.line.consumer
        guard place.line.consumer != GPIOLine.consumer else { return finding }
        let holder = place.line.consumer.isEmpty ? "the kernel" : place.line.consumer
        finding.take(
          LineFault(.lineBusy, "\(place.description) is held by \(holder)", consumer: holder))
      } catch {
        finding.take(error)
      }
      return finding
    }
  }
}

/// Reads a line once, where no agent holds it.
public enum LineReading {
  /// Takes the line as configured, reads it and gives it back.
  public static func read(_ line: LineDefinition) -> LineFinding {
    var finding = LineFinding(line: line.name)
    do throws(LineFault) {
      let open = try OpenLine(line)
      finding.place = open.place.description
      do throws(SystemError) {
        finding.isActive = try open.line.isActive()
      } catch {
        throw LineFault(error)
      }
      finding.text = open.lack
    } catch {
      finding.take(error)
    }
    return finding
  }
}
