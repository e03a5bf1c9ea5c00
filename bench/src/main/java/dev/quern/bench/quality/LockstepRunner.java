package dev.quern.bench.quality;

import dev.quern.kernels.Activations;
import dev.quern.kv.KvType;
import dev.quern.model.LogitsSink;
import dev.quern.model.Model;
import dev.quern.model.ModelOptions;
import dev.quern.model.Session;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * The original and its variants, open at the same time, taking each window one after the other: the
 * original's logits of a single window are all that is kept.
 */
public final class LockstepRunner implements AutoCloseable {
  private final List<Model> models = new ArrayList<>();
  private final List<Session> sessions = new ArrayList<>();
  private final ReferenceWindow window;
  private final boolean oneByOne;

  /**
   * What became of the experts that routers chose.
   *
   * @param leftOut of those chosen
   * @param replaced of those chosen, by stand-ins
   */
  record Uses(long chosen, long leftOut, long replaced) {}

  /**
   * @param paths the original first
   * @param windowTokens the longest window
   */
  public static LockstepRunner open(List<Path> paths, int windowTokens, int threads)
      throws IOException {
    ModelOptions exact = new ModelOptions(threads).with(Activations.F32).with(KvType.F32);
    return open(paths, Collections.nCopies(paths.size(), exact), windowTokens, false);
  }

  /**
   * With the activations, keys and values that {@code generate} computes with.
   *
   * @param paths the original first
   * @param windowTokens the longest window
   */
  static LockstepRunner asGenerating(List<Path> paths, int windowTokens, int threads)
      throws IOException {
    ModelOptions each = new ModelOptions(threads);
    return open(paths, Collections.nCopies(paths.size(), each), windowTokens, false);
  }

  /**
   * @param paths the original first
   * @param options one for each path
   * @param oneByOne whether all models but the first read tokens as when generating
   */
  static LockstepRunner open(
      List<Path> paths, List<ModelOptions> options, int windowTokens, boolean oneByOne)
      throws IOException {
    List<Model> models = new ArrayList<>();
    try {
      for (int i = 0; i < paths.size(); i++) {
        models.add(Model.open(paths.get(i), options.get(i)));
      }
      return new LockstepRunner(models, windowTokens, oneByOne);
    } catch (Throwable e) {
      models.forEach(Model::close);
      throw e;
    }
  }

  private LockstepRunner(List<Model> models, int windowTokens, boolean oneByOne) {
    this.oneByOne = oneByOne;
    for (Model model : models) {
      sessions.add(model.newSession(windowTokens));
    }
    this.models.addAll(models);
    window = new ReferenceWindow(models.getFirst().config().vocabSize());
  }

  /** In the order of the paths. */
  public List<Model> models() {
    return List.copyOf(models);
  }

  /** One score per model. */
  public List<WindowScore> score(int[] ids) {
    List<WindowScore> scores = new ArrayList<>();
    for (Session session : sessions) {
      session.truncate(0);
      scores.add(
          scores.isEmpty()
              ? window.reference(ids, session::appendAll)
              : window.score(
                  oneByOne
                      ? (text, sink) -> appendOneByOne(session, text, sink)
                      : session::appendAll));
    }
    return scores;
  }

  private static void appendOneByOne(Session session, int[] ids, LogitsSink sink) {
    for (int position = 0; position < ids.length; position++) {
      sink.accept(position, session.append(new int[] {ids[position]}), 0);
    }
  }

  /** Of all windows so far, in the order of the paths. */
  List<Uses> uses() {
    return sessions.stream()
        .map(s -> new Uses(s.expertsChosen(), s.expertsLeftOut(), s.expertsReplaced()))
        .toList();
  }

  @Override
  public void close() {
    sessions.forEach(Session::close);
    models.forEach(Model::close);
  }
}
