import Foundation
import LinuxSystem
import TestSupport
import Testing

/// The name of the thread that asks.
private func threadName() -> String { String(text(of: "/proc/thread-self/comm").dropLast()) }

/// The names of all threads of this process.
private func threadNames() -> [String] {
  let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
  return tasks.map { String(text(of: "/proc/self/task/\($0)/comm").dropLast()) }
}

/// An actor on a thread of its own.
private actor Worker {
  private let executor: ThreadExecutor
  private var log: [Int] = []

  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  init(thread: String) throws { executor = try ThreadExecutor(name: thread) }

  func name() -> String { threadName() }

  func append(_ number: Int) { log.append(number) }

  func all() -> [Int] { log }

  /// Blocks its thread, as a C call does.
  func block(until gate: Monitor<Bool>) -> Bool {
    gate.wait(atMost: patienceSeconds) { $0 ? true : nil } ?? false
  }
}

@Suite("Threads", .ownThread)
struct ThreadTests {
  @Test("A thread bears its name, as far as the kernel's 15 bytes go, and ends with its body")
  func names() async throws {
    let seen = Monitor<Set<String>>([])
    for name in ["test-bus-1", "a-very-long-name-of-a-bus"] {
      try LinuxSystem.Thread.start(named: name) { seen.withLock { _ = $0.insert(threadName()) } }
    }
    try await waitUntil("both ran") { seen.withLock { $0.count } == 2 }
    #expect(seen.withLock { $0 } == ["test-bus-1", "a-very-long-nam"])
    try await waitUntil("both are gone") {
      Set(threadNames()).isDisjoint(with: ["test-bus-1", "a-very-long-nam"])
    }
  }

  @Test("An actor runs on its executor's thread, in the order of the calls, and the thread ends")
  func executor() async throws {
    do {
      let worker = try Worker(thread: "test-worker")
      #expect(await worker.name() == "test-worker")
      for number in 0..<100 { await worker.append(number) }
      #expect(await worker.all() == Array(0..<100))
      #expect(await worker.name() == "test-worker")
      #expect(threadNames().contains("test-worker"))
    }
    try await waitUntil("the thread is gone") { !threadNames().contains("test-worker") }
  }

  @Test("Actors that block hold up neither each other nor the pool")
  func blocking() async throws {
    let gate = Monitor(false)
    // More than the pool has threads.
    let count = ProcessInfo.processInfo.activeProcessorCount + 2
    let workers = try (0..<count).map { try Worker(thread: "blocked-\($0)") }
    let tasks = workers.map { worker in Task { await worker.block(until: gate) } }
    let free = try Worker(thread: "free")
    #expect(await free.name() == "free")
    gate.update { $0 = true }
    for task in tasks { #expect(await task.value) }
  }
}
