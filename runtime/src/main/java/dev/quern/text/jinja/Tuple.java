package dev.quern.text.jinja;

import java.util.AbstractList;
import java.util.Arrays;
import java.util.List;
import java.util.RandomAccess;

/** A list that prints with parentheses; the groups of groupby name their elements as well. */
final class Tuple extends AbstractList<Object> implements RandomAccess {
  private final List<Object> elements;
  private final List<String> names;
  private int hash; // once it was asked for: of shared parts it would be computed again and again

  Tuple(List<Object> elements) {
    this(elements, List.of());
  }

  private Tuple(List<Object> elements, List<String> names) {
    this.elements = elements;
    this.names = names;
  }

  static Tuple of(Object first, Object second) {
    return new Tuple(Arrays.asList(first, second));
  }

  /** What groupby gives: the common value and the elements that have it. */
  static Tuple group(Object grouper, List<Object> list) {
    return new Tuple(Arrays.asList(grouper, list), List.of("grouper", "list"));
  }

  Object attribute(String name) {
    int place = names.indexOf(name);
    return place < 0 ? new Undefined(name) : elements.get(place);
  }

  @Override
  public Object get(int index) {
    return elements.get(index);
  }

  @Override
  public int size() {
    return elements.size();
  }

  @Override
  public int hashCode() {
    if (hash == 0) {
      hash = super.hashCode();
    }
    return hash;
  }
}
