/// A serial line as Modbus RTU uses it.
public struct SerialLine: Sendable, Hashable {
  /// What the parity bit says; `mark` is always 1, `space` always 0.
  public enum Parity: String, Sendable, Hashable, CaseIterable {
    case even
    case odd
    case none
    case mark
    case space
  }

  /// The speeds that the kernel has a code for in `termios`.
  public static let bauds = [
    300, 600, 1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 500_000,
    576_000, 921_600,
  ]
  /// Data bits of a character. RTU sends bytes, which 7 cut: only for converters that widen them.
  public static let dataBits = 7...8

  /// The terminal, such as `/dev/ttyS1`.
  public var path: String
  /// Bits a second, one of `bauds`.
  public var baud: Int
  /// The parity bit.
  public var parity: Parity
  /// 1 or 2.
  public var stopBits: Int
  /// One of `SerialLine.dataBits`.
  public var dataBits: Int
  /// Who switches between sending and receiving; `nil`: the adapter or the driver by itself.
  public var direction: RS485Direction?
  /// Whether what is sent comes back before the answer.
  public var echoes: Bool

  /// Makes a line; parity and stop bit as the specification demands of every device by default
  /// (Modbus over serial line V1.02, section 2.5.1).
  public init(
    path: String, baud: Int, parity: Parity = .even, stopBits: Int = 1, dataBits: Int = 8,
    direction: RS485Direction? = nil, echoes: Bool = false
  ) {
    self.path = path
    self.baud = baud
    self.parity = parity
    self.stopBits = stopBits
    self.dataBits = dataBits
    self.direction = direction
    self.echoes = echoes
  }

  /// What a byte takes on the line: start bit, data, parity, stop bits; 11 by default.
  public var bitsPerCharacter: Int {
    1 + dataBits + (parity == .none ? 0 : 1) + stopBits
  }

  /// Microseconds that `count` bytes take.
  public func microseconds(ofCharacters count: Int) -> Int64 {
    (Int64(count * bitsPerCharacter) * 1_000_000 + Int64(baud) - 1) / Int64(baud)
  }

  /// The silence that parts two messages: 3.5 characters, and 1.75 ms above 19,200 Bd (Modbus over
  /// serial line V1.02, section 2.5.1.1).
  public var silenceMicroseconds: Int64 {
    baud > 19_200 ? 1_750 : (microseconds(ofCharacters: 7) + 1) / 2
  }
}
