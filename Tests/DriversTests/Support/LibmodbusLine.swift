import CModbus
import Glibc
import LinuxSystem
import Synchronization

/// A slave that libmodbus itself plays on a pseudo-terminal, with registers from address 0.
final class LibmodbusLine: @unchecked Sendable {
  let path: String
  private let terminal: PseudoTerminal
  // Used by the serving thread alone once it runs.
  private let context: OpaquePointer
  private let mapping: UnsafeMutablePointer<modbus_mapping_t>
  private let hasEnded = Atomic(false)

  init(unit: UInt8, holdings: [UInt16], coils: [Bool] = []) throws {
    terminal = try PseudoTerminal()
    path = terminal.path
    guard let context = modbus_new_rtu(path, 115_200, 69, 8, 1),
      let mapping = modbus_mapping_new(Int32(coils.count), 0, Int32(holdings.count), 0)
    else { throw SystemError(call: "modbus_new_rtu", subject: path, code: errno) }
    for (index, bit) in coils.enumerated() { mapping.pointee.tab_bits[index] = bit ? 1 : 0 }
    for (index, word) in holdings.enumerated() { mapping.pointee.tab_registers[index] = word }
    self.context = context
    self.mapping = mapping
    modbus_set_slave(context, Int32(unit))
    // The library can only open the other side's end by a path.
    modbus_set_socket(context, terminal.descriptor)
    try Thread.start(named: "libmodbus") { [self] in serve() }
  }

  func stop() { hasEnded.store(true, ordering: .releasing) }

  private func serve() {
    while !hasEnded.load(ordering: .acquiring) {
      var entry = pollfd(fd: terminal.descriptor, events: Int16(POLLIN), revents: 0)
      _ = poll(&entry, 1, 10)
      guard entry.revents & Int16(POLLIN) != 0 else {
        if entry.revents != 0 { usleep(1000) }
        continue
      }
      var request = [UInt8](repeating: 0, count: Int(MODBUS_RTU_MAX_ADU_LENGTH))
      let length = modbus_receive(context, &request)
      if length > 0 { modbus_reply(context, request, length, mapping) }
    }
    modbus_mapping_free(mapping)
    modbus_free(context)
  }
}
