package dev.quern.bench.speed;

import java.util.List;
import java.util.Locale;

/**
 * What tables and pictures call the subjects of a run: by their models' names, too, where there are
 * several.
 *
 * @param models names, each once
 */
public record SubjectLabels(List<String> models) {
  public SubjectLabels {
    models = List.copyOf(models);
  }

  public static SubjectLabels of(List<SpeedSubject> subjects) {
    return new SubjectLabels(subjects.stream().map(SpeedSubject::model).distinct().toList());
  }

  /** Such as {@code quern turbo 3 bits, 3.27 b/w}: bits of the weights that a token reads. */
  public String label(SpeedSubject subject) {
    return String.format(
        Locale.ROOT,
        "%s %s, %.2f b/w",
        subject.engine(),
        weights(subject),
        subject.touchedBitsPerWeight());
  }

  /** Such as {@code turbo 3 bits}. */
  public String weights(SpeedSubject subject) {
    return models.size() == 1
        ? subject.quantization()
        : subject.model() + " " + subject.quantization();
  }

  /** Of a picture of all subjects. */
  public String title(String what) {
    return models.size() == 1 ? models.getFirst() + ": " + what : what;
  }
}
