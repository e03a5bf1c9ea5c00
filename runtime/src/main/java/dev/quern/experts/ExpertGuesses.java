package dev.quern.experts;

/** Says which experts a layer will probably use, before its router has chosen. */
@FunctionalInterface
public interface ExpertGuesses {

  /**
   * @param layer whose router comes next
   * @param experts at least as long as the model's topK; distinct ids are written from 0 on
   * @return how many; 0 if nothing is known
   */
  int guess(int layer, int[] experts);
}
