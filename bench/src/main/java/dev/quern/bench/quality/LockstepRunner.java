package dev.quern.bench.quality;

import dev.quern.model.Model;
import dev.quern.model.ModelOptions;
import dev.quern.model.Session;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The original and its variants, open at the same time, taking each window one after the other: the
 * original's logits of a single window are all that is kept.
 */
public final class LockstepRunner implements AutoCloseable {
  private final List<Model> models = new ArrayList<>();
  private final List<Session> sessions = new ArrayList<>();
  private final ReferenceWindow window;

  /**
   * @param paths the original first
   * @param windowTokens the longest window
   */
  public static LockstepRunner open(List<Path> paths, int windowTokens, int threads)
      throws IOException {
    List<Model> models = new ArrayList<>();
    try {
      for (Path path : paths) {
        models.add(Model.open(path, new ModelOptions(threads)));
      }
      return new LockstepRunner(models, windowTokens);
    } catch (Throwable e) {
      models.forEach(Model::close);
      throw e;
    }
  }

  private LockstepRunner(List<Model> models, int windowTokens) {
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
              : window.score(session::appendAll));
    }
    return scores;
  }

  @Override
  public void close() {
    sessions.forEach(Session::close);
    models.forEach(Model::close);
  }
}
