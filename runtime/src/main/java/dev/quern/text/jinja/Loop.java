package dev.quern.text.jinja;

import java.util.List;

/** The variable {@code loop}. */
record Loop(List<Object> values, int index0, int depth) {
  Object attribute(String name) {
    return switch (name) {
      case "index" -> (long) index0 + 1;
      case "index0" -> (long) index0;
      case "revindex" -> (long) values.size() - index0;
      case "revindex0" -> (long) values.size() - index0 - 1;
      case "first" -> index0 == 0;
      case "last" -> index0 == values.size() - 1;
      case "length" -> (long) values.size();
      case "depth" -> (long) depth;
      case "depth0" -> (long) depth - 1;
      case "previtem" -> index0 > 0 ? values.get(index0 - 1) : new Undefined("loop.previtem");
      case "nextitem" ->
          index0 + 1 < values.size() ? values.get(index0 + 1) : new Undefined("loop.nextitem");
      case "cycle" ->
          (Callable)
              args ->
                  args.positional().isEmpty()
                      ? new Undefined("cycle")
                      : args.positional().get(index0 % args.positional().size());
      default -> new Undefined("loop." + name);
    };
  }
}
