package dev.quern.bench.peers;

import dev.quern.bench.speed.SpeedRecord;
import dev.quern.bench.speed.SpeedSubject;
import dev.quern.bench.speed.Throughput;
import java.util.ArrayList;
import java.util.List;

/**
 * How many times as fast quern is as a peer, round by round of one test: both were measured one
 * after the other, so that a slow minute of the machine slows both.
 *
 * @param test its name
 * @param ratios of the rounds in order; above 1 quern is faster
 */
public record PeerRatio(String test, SpeedSubject quern, SpeedSubject peer, List<Double> ratios) {
  public PeerRatio {
    ratios = List.copyOf(ratios);
    if (ratios.isEmpty()) {
      throw new IllegalArgumentException(test + ": no rounds");
    }
  }

  /** Every quern of a test against every peer of it with as many weights: one shape. */
  public static List<PeerRatio> of(List<SpeedRecord> records) {
    List<PeerRatio> all = new ArrayList<>();
    for (SpeedRecord ours : records) {
      for (SpeedRecord theirs : records) {
        if (areCompared(ours, theirs)) {
          all.add(of(ours, theirs));
        }
      }
    }
    return all;
  }

  private static boolean areCompared(SpeedRecord ours, SpeedRecord theirs) {
    SpeedSubject quern = ours.subject();
    SpeedSubject peer = theirs.subject();
    return quern.engine().equals(SpeedSubject.QUERN)
        && !peer.engine().equals(SpeedSubject.QUERN)
        && quern.weights() == peer.weights()
        && ours.test().equals(theirs.test());
  }

  private static PeerRatio of(SpeedRecord ours, SpeedRecord theirs) {
    List<Double> ratios = new ArrayList<>();
    for (int round = 0; round < ours.samples().size(); round++) {
      ratios.add(ours.samples().get(round) / theirs.samples().get(round));
    }
    return new PeerRatio(ours.testName(), ours.subject(), theirs.subject(), ratios);
  }

  public double median() {
    return Throughput.median(ratios);
  }

  public double lowest() {
    return ratios.stream().mapToDouble(Double::doubleValue).min().orElseThrow();
  }

  public double highest() {
    return ratios.stream().mapToDouble(Double::doubleValue).max().orElseThrow();
  }
}
