internal import CLinux

/// Locks an open file for its holder alone (`flock`), without waiting: EWOULDBLOCK while another
/// has it. The kernel drops the lock with the descriptor, however the process ends.
public func tryLock(_ descriptor: Int32, path: String) throws(SystemError) {
  try systemCall("flock", on: path) { CLinux_try_lock(descriptor) }
}
