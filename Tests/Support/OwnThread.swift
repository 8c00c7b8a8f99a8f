// The static toolchain, which release programs are built with, has no Testing module.
#if canImport(Testing)
  internal import Glibc
  internal import LinuxSystem
  public import Testing

  /// Runs each test of a suite on a thread of its own, so that it may block while it waits for
  /// programs and threads. On Swift's pool, which has as many threads as cores, two tests that
  /// block hold up all others, and the others' time-outs fire.
  public struct OwnThreadTrait: TestTrait, SuiteTrait, TestScoping {
    /// Suites hand it down to their tests.
    public var isRecursive: Bool { true }

    /// Called by the library around each test.
    public func provideScope(
      for test: Test, testCase: Test.Case?,
      performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
      try await withTaskExecutorPreference(try OwnThread()) { try await function() }
    }
  }

  extension Trait where Self == OwnThreadTrait {
    /// Each test on a thread of its own: for tests that block while they wait.
    public static var ownThread: Self { Self() }
  }

  /// A thread that runs a task; it ends when the task no longer needs it.
  private final class OwnThread: TaskExecutor {
    struct Queue {
      var jobs: [(job: UnownedJob, executor: UnownedTaskExecutor)] = []
      var isFinished = false

      mutating func takeJobs() -> [(job: UnownedJob, executor: UnownedTaskExecutor)]? {
        guard !jobs.isEmpty || isFinished else { return nil }
        defer { jobs.removeAll() }
        return jobs
      }
    }

    private let queue = Monitor(Queue())

    init() throws(SystemError) {
      // With the default stack of 8 MiB: the agent's own threads have less than sanitized tests
      // need.
      let context = Unmanaged.passRetained(queue)
      var thread = pthread_t()
      let code = pthread_create(
        &thread, nil,
        { context in
          guard let context else { return nil }
          OwnThread.work(on: Unmanaged<Monitor<Queue>>.fromOpaque(context).takeRetainedValue())
          return nil
        }, context.toOpaque())
      guard code == 0 else {
        context.release()
        throw SystemError(call: "pthread_create", subject: "a test", code: code)
      }
      pthread_detach(thread)
    }

    deinit { queue.update { $0.isFinished = true } }

    func enqueue(_ job: consuming ExecutorJob) {
      let entry = (job: UnownedJob(job), executor: asUnownedTaskExecutor())
      queue.update { $0.jobs.append(entry) }
    }

    private static func work(on queue: Monitor<Queue>) {
      while let jobs = queue.wait(atMost: nil, until: { $0.takeJobs() }), !jobs.isEmpty {
        for (job, executor) in jobs { job.runSynchronously(on: executor) }
      }
    }
  }
#endif
