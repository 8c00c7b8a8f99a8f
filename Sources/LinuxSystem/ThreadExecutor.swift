/// Runs the jobs of an actor on one thread of its own, so that the actor may block in C calls
/// without holding up anything else. The thread ends when the executor is released.
public final class ThreadExecutor: SerialExecutor {
  fileprivate struct Queue {
    // The actor keeps its executor alive while a job of it is queued or runs.
    var jobs: [(job: UnownedJob, executor: UnownedSerialExecutor)] = []
    var isFinished = false
  }

  // The thread holds the queue alone: were it to hold the executor, neither would ever end.
  private let queue = Monitor(Queue())

  /// Starts the thread; fails when the process may have no more of them.
  public init(name: String) throws(SystemError) {
    let queue = queue
    try Thread.start(named: name) { Self.work(on: queue) }
  }

  deinit { queue.update { $0.isFinished = true } }

  /// Called by the runtime to run a job.
  public func enqueue(_ job: consuming ExecutorJob) {
    let entry = (job: UnownedJob(job), executor: asUnownedSerialExecutor())
    queue.update { $0.jobs.append(entry) }
  }

  private static func work(on queue: Monitor<Queue>) {
    while let jobs = queue.wait(atMost: nil, until: { $0.takeJobs() }), !jobs.isEmpty {
      for (job, executor) in jobs { job.runSynchronously(on: executor) }
    }
  }
}

extension ThreadExecutor.Queue {
  /// The jobs that wait; none once the executor is gone; `nil` as long as there is nothing to do.
  fileprivate mutating func takeJobs() -> [(job: UnownedJob, executor: UnownedSerialExecutor)]? {
    guard !jobs.isEmpty || isFinished else { return nil }
    defer { jobs.removeAll(keepingCapacity: true) }
    return jobs
  }
}
