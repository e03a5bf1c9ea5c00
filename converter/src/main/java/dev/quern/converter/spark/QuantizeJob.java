package dev.quern.converter.spark;

import dev.quern.converter.plan.Chunk;
import dev.quern.converter.plan.ConversionPlan;
import dev.quern.converter.plan.OutputFile;
import dev.quern.converter.work.ChunkWriter;
import dev.quern.converter.work.FileAssembler;
import dev.quern.converter.work.ProgressListener;
import dev.quern.converter.work.ProgressListener.Phase;
import dev.quern.converter.work.Receipt;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.ToLongFunction;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.LongAccumulator;

/**
 * Runs the pieces of a plan on executors. They read byte ranges of the source and write files, so
 * source and pack must have the same paths everywhere; only receipts travel.
 */
public final class QuantizeJob {
  private final JavaSparkContext context;
  private final String pack;
  private final String work;
  private final ProgressListener listener;

  public QuantizeJob(SparkSession session, Path pack, Path work, ProgressListener listener) {
    this.context = JavaSparkContext.fromSparkContext(session.sparkContext());
    this.pack = pack.toAbsolutePath().toString();
    this.work = work.toAbsolutePath().toString();
    this.listener = listener;
  }

  /**
   * Makes every file of the plan that is not finished yet.
   *
   * @return the receipts of all files, in the order of {@link ConversionPlan#files}
   * @throws IOException what the first failing piece threw
   */
  public List<Receipt> run(ConversionPlan plan) throws IOException {
    Map<OutputFile, Receipt> receipts = new LinkedHashMap<>();
    List<OutputFile> files = plan.files();
    List<Optional<Receipt>> earlier = finished(files);
    for (int i = 0; i < files.size(); i++) {
      receipts.put(files.get(i), earlier.get(i).orElse(null));
    }
    List<OutputFile> missing = files.stream().filter(f -> receipts.get(f) == null).toList();
    quantize(missing.stream().<Chunk>flatMap(file -> file.chunks().stream()).toList());
    List<Receipt> made = assemble(missing);
    for (int i = 0; i < missing.size(); i++) {
      receipts.put(missing.get(i), made.get(i));
    }
    return List.copyOf(receipts.values());
  }

  private List<Optional<Receipt>> finished(List<OutputFile> files) throws IOException {
    String packPath = pack;
    String workPath = work;
    // An Optional does not travel; a list of at most one does.
    List<ArrayList<Receipt>> found =
        GuardedTask.map(
            context,
            Path.of(work),
            files,
            file -> {
              FileAssembler assembler = new FileAssembler(Path.of(packPath), Path.of(workPath));
              return new ArrayList<>(assembler.finished(file).stream().toList());
            });
    return found.stream().map(list -> list.stream().findFirst()).toList();
  }

  private void quantize(List<Chunk> chunks) throws IOException {
    String workPath = work;
    LongAccumulator done = context.sc().longAccumulator("input bytes");
    try (ProgressPoller poller =
        ProgressPoller.start(listener, Phase.QUANTIZING, done, sum(chunks, Chunk::inputBytes))) {
      GuardedTask.map(
          context,
          Path.of(work),
          chunks,
          chunk -> {
            Receipt receipt = ChunkWriter.write(Path.of(workPath), chunk);
            done.add(chunk.inputBytes());
            return receipt.bytes();
          });
      poller.finish();
    }
  }

  private List<Receipt> assemble(List<OutputFile> files) throws IOException {
    String packPath = pack;
    String workPath = work;
    LongAccumulator done = context.sc().longAccumulator("output bytes");
    try (ProgressPoller poller =
        ProgressPoller.start(listener, Phase.WRITING, done, sum(files, OutputFile::fileBytes))) {
      List<Receipt> receipts =
          GuardedTask.map(
              context,
              Path.of(work),
              files,
              file -> {
                Receipt receipt =
                    new FileAssembler(Path.of(packPath), Path.of(workPath)).assemble(file);
                done.add(receipt.bytes());
                return receipt;
              });
      poller.finish();
      return receipts;
    }
  }

  private static <T> long sum(List<T> items, ToLongFunction<T> bytes) {
    return items.stream().mapToLong(bytes).sum();
  }
}
