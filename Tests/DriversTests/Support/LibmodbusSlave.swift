import CModbus
import Glibc
import LinuxSystem
import Synchronization

/// A slave that libmodbus itself plays, on a free port of the loopback interface: the second
/// opinion on the protocol. Its tables hold what a test puts there, from address 0.
final class LibmodbusSlave: @unchecked Sendable {
  let port: UInt16
  // Used by the serving thread alone once it runs; libmodbus frees them at its end.
  private let context: OpaquePointer
  private let mapping: UnsafeMutablePointer<modbus_mapping_t>
  private let listener: Int32
  private let stopSignal: EventFD
  private let hasEnded = Atomic(false)

  struct Tables {
    var coils: [Bool] = []
    var discretes: [Bool] = []
    var inputs: [UInt16] = []
    var holdings: [UInt16] = []
  }

  init(_ tables: Tables) throws {
    guard
      let context = modbus_new_tcp("127.0.0.1", 0),
      let mapping = modbus_mapping_new(
        Int32(tables.coils.count), Int32(tables.discretes.count), Int32(tables.holdings.count),
        Int32(tables.inputs.count))
    else { throw SystemError(call: "modbus_new_tcp", subject: "", code: errno) }
    for (index, bit) in tables.coils.enumerated() { mapping.pointee.tab_bits[index] = bit ? 1 : 0 }
    for (index, bit) in tables.discretes.enumerated() {
      mapping.pointee.tab_input_bits[index] = bit ? 1 : 0
    }
    for (index, word) in tables.holdings.enumerated() {
      mapping.pointee.tab_registers[index] = word
    }
    for (index, word) in tables.inputs.enumerated() {
      mapping.pointee.tab_input_registers[index] = word
    }
    self.context = context
    self.mapping = mapping
    listener = try systemCall("modbus_tcp_listen") { modbus_tcp_listen(context, 4) }
    var address = sockaddr_in()
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let listener = listener
    try withUnsafeMutablePointer(to: &address) { pointer in
      try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        _ = try systemCall("getsockname") { getsockname(listener, pointer, &size) }
      }
    }
    port = UInt16(bigEndian: address.sin_port)
    stopSignal = try EventFD()
    try Thread.start(named: "libmodbus") { [self] in serve() }
  }

  func stop() {
    hasEnded.store(true, ordering: .releasing)
    stopSignal.signal()
  }

  private func serve() {
    var descriptor: Int32 = -1
    while !hasEnded.load(ordering: .acquiring) {
      var entries = [pollfd(fd: stopSignal.descriptor, events: Int16(POLLIN), revents: 0)]
      let waited = descriptor >= 0 ? descriptor : listener
      entries.append(pollfd(fd: waited, events: Int16(POLLIN), revents: 0))
      _ = poll(&entries, 2, 10_000)
      guard entries[1].revents != 0 else { continue }
      if descriptor < 0 {
        var listener = listener
        descriptor = modbus_tcp_accept(context, &listener)
        continue
      }
      var request = [UInt8](repeating: 0, count: Int(MODBUS_TCP_MAX_ADU_LENGTH))
      let length = modbus_receive(context, &request)
      if length > 0 {
        modbus_reply(context, request, length, mapping)
      } else if length < 0 {
        modbus_close(context)
        descriptor = -1
      }
    }
    modbus_close(context)
    close(listener)
    modbus_mapping_free(mapping)
    modbus_free(context)
  }
}
