package dev.quern.converter.spark;

import dev.quern.converter.traces.TraceTask;
import dev.quern.converter.work.ProgressListener;
import dev.quern.converter.work.ProgressListener.Phase;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.LongAccumulator;

/**
 * Collects the parts of a trace on executors. They read the model and the tokens and write files,
 * so that these must have the same paths everywhere; nothing but counts travels.
 */
public final class TraceJob {
  private final JavaSparkContext context;
  private final Path work;
  private final ProgressListener listener;

  public TraceJob(SparkSession session, Path work, ProgressListener listener) {
    this.context = JavaSparkContext.fromSparkContext(session.sparkContext());
    this.work = work;
    this.listener = listener;
  }

  /**
   * @throws IOException what the first failing part threw
   */
  public void run(List<TraceTask> tasks) throws IOException {
    long bytes = tasks.stream().mapToLong(TraceTask::bytes).sum();
    LongAccumulator done = context.sc().longAccumulator("bytes of rows");
    try (ProgressPoller poller = ProgressPoller.start(listener, Phase.COLLECTING, done, bytes)) {
      GuardedTask.map(context, work, tasks, task -> task.run(done::add));
      poller.finish();
    }
  }
}
