internal import ConfigurationFile
internal import Telemetry

/// The points of one device of a scenario file.
struct PointSection {
  var points: [SimulatedPoint] = []
  /// Of the same length.
  var notes: [PointNotes] = []

  static func read(_ value: ConfigurationValue?) -> PointSection {
    var section = PointSection()
    _ = value?.mapping { reader in
      let members = reader.takeNamed()
      if members.isEmpty { value?.refuse("is empty", "at least one point is expected") }
      for (name, value) in members { section.append(name, value) }
      return ()
    }
    return section
  }

  private struct Fields {
    var place: (table: ModbusTable, address: Int64)?
    var type: RegisterType?
    var order: ByteOrder
    var scale: DecimalNumber?
    var notes: PointNotes
    var copies: Copies
    var signal: Signal?
    var text: SimulatedText?
  }

  private mutating func append(_ name: String, _ value: ConfigurationValue) {
    let fields = value.mapping { reader -> Fields in
      let place = Self.place(reader)
      let type = Self.type(reader, place?.table)
      return Fields(
        place: place, type: type,
        order: reader.take("order").flatMap { $0.choice(ByteOrder.self, "an order of bytes") }
          ?? .abcd,
        scale: reader.take("scale").flatMap(Self.scale),
        notes: PointNotes(
          unit: reader.take("unit").flatMap { $0.choice(MeasurementUnit.self, "a unit") },
          range: reader.take("range").flatMap(Self.range),
          location: reader.take("location").flatMap { $0.text("a place in the mine") },
          states: reader.take("enum").flatMap(Self.states)),
        copies: Copies(reader, max: Scenario.pointsMax),
        signal: type == .string
          ? .constant(0) : reader.require("signal", "a signal").flatMap(SignalSection.read),
        text: type == .string ? Self.text(reader) : nil)
    }
    guard let fields, let place = fields.place, let type = fields.type,
      let signal = fields.signal, type != .string || fields.text != nil
    else { return }
    if fields.notes.states != nil, !type.isInteger || fields.scale != nil {
      value.refuse("states on what is no plain integer", "an integer without scale has states")
      return
    }
    if fields.scale != nil, !type.isInteger || type.addressCount > 2 {
      value.refuse("a scale on \(type.rawValue)", "integers of 16 or 32 bits have scales")
      return
    }
    let addressCount = fields.text?.registers ?? type.addressCount
    for (index, name) in fields.copies.names(name).enumerated() {
      let address = Int(place.address) + index * addressCount
      guard address + addressCount <= 1 << 16 else {
        value.refuse("\(name) ends beyond address 65535", "the last address on the wire is 65535")
        return
      }
      append(
        SimulatedPoint(
          name: name, table: place.table, address: UInt16(address), type: type,
          order: fields.order, scale: fields.scale, signal: signal, text: fields.text),
        fields.notes, value)
    }
  }

  private mutating func append(
    _ point: SimulatedPoint, _ notes: PointNotes, _ value: ConfigurationValue
  ) {
    for other in points {
      if other.name == point.name {
        value.refuse("another point is called \(point.name)", "a name of its own is expected")
      }
      if other.table == point.table, other.addresses.overlaps(point.addresses) {
        value.refuse(
          "\(point.name) stands on addresses of \(other.name)",
          "addresses of its own are expected")
      }
    }
    points.append(point)
    self.notes.append(notes)
    if points.count > Scenario.pointsMax {
      value.refuse("is point number \(points.count)", "at most \(Scenario.pointsMax)")
    }
  }

  private static func place(_ reader: MappingReader) -> (table: ModbusTable, address: Int64)? {
    let given = ModbusTable.allCases.compactMap { table in
      reader.take(table.rawValue).map { (table, $0) }
    }
    guard given.count == 1, let (table, address) = given.first else {
      reader.value.refuse(
        given.isEmpty ? "says not where it stands" : "stands in several tables",
        "one of coil, discrete, input, holding is expected")
      return nil
    }
    return address.integer(in: 0...65_535).map { (table, $0) }
  }

  private static func type(_ reader: MappingReader, _ table: ModbusTable?) -> RegisterType? {
    guard let value = reader.take("type") else {
      if table?.holdsBits == true { return .bool }
      if table != nil {
        reader.value.refuse("has no type", "a register needs one, such as uint16 or float32")
      }
      return nil
    }
    guard let type = value.choice(RegisterType.self, "a type"), let table else { return nil }
    guard table.holdsBits == (type == .bool) else {
      value.refuse(
        "\(type.rawValue) does not stand in \(table.rawValue)",
        table.holdsBits ? "bool is expected" : "a register type is expected")
      return nil
    }
    return type
  }

  /// As long as the agent's.
  private static let registersMax: Int64 = 64

  private static func text(_ reader: MappingReader) -> SimulatedText? {
    let length = reader.require("length", "how many registers it has")?
      .integer(in: 1...registersMax)
    let place = reader.require("text", "what it holds")
    guard let text = place?.text("what it holds"), let length else { return nil }
    guard text.utf8.count <= 2 * length else {
      place?.refuse("has \(text.utf8.count) bytes", "at most \(2 * length) fit")
      return nil
    }
    return SimulatedText(text: text, registers: Int(length))
  }

  private static func states(_ value: ConfigurationValue) -> [Int64: String]? {
    value.numberedTexts(
      1...256, keys: Int64(Int32.min)...Int64(UInt32.max), "a number and what it means")
  }

  /// A mantissa and a 32-bit register together stay within 64 bits.
  private static let scaleMantissaMax: Int64 = 1_000_000_000

  private static func scale(_ value: ConfigurationValue) -> DecimalNumber? {
    guard let scale = value.decimal() else { return nil }
    guard scale.mantissa != 0, scale.mantissa.magnitude <= scaleMantissaMax else {
      value.refuse("is no scale", "a number other than 0 of at most 9 digits is expected")
      return nil
    }
    return DecimalNumber(mantissa: scale.mantissa, decimals: scale.decimals)
  }

  private static func range(_ value: ConfigurationValue) -> [DecimalNumber]? {
    guard let limits = value.list(2...2, of: "a lower and an upper limit") else { return nil }
    let numbers = limits.compactMap { $0.decimal() }
      .map { DecimalNumber(mantissa: $0.mantissa, decimals: $0.decimals) }
    guard numbers.count == 2 else { return nil }
    guard numbers[0].approximate <= numbers[1].approximate else {
      value.refuse("\(numbers[0]) is above \(numbers[1])", "the lower limit comes first")
      return nil
    }
    return numbers
  }
}
