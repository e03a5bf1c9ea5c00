package dev.quern.text.jinja;

import java.util.List;

/** Statements; {@code line} is where the tag begins. */
sealed interface Node {
  int line();

  record Text(int line, String text) implements Node {}

  record Print(int line, Expr value) implements Node {}

  record If(int line, List<Branch> branches, List<Node> otherwise) implements Node {}

  record Branch(int line, Expr condition, List<Node> body) {}

  /** {@code filter} is null where there is none. */
  record For(
      int line,
      List<String> targets,
      Expr values,
      Expr filter,
      List<Node> body,
      List<Node> otherwise)
      implements Node {}

  record Set(int line, List<String> targets, Expr value) implements Node {}

  record SetAttribute(int line, String target, String attribute, Expr value) implements Node {}

  record SetBlock(int line, String target, List<Node> body) implements Node {}

  record Macro(int line, String name, List<Parameter> parameters, List<Node> body)
      implements Node {}

  /** {@code standard} is null where the parameter has no default. */
  record Parameter(String name, Expr standard) {}

  /** {@code {% call f(x) %}body{% endcall %}}: f finds body as caller(). */
  record CallBlock(int line, List<Parameter> parameters, Expr.Call call, List<Node> body)
      implements Node {}

  record FilterBlock(int line, Expr.Filter filter, List<Node> body) implements Node {}

  record Break(int line) implements Node {}

  record Continue(int line) implements Node {}

  /** {@code {% generation %}}: marks what the assistant said; renders its body. */
  record Generation(int line, List<Node> body) implements Node {}
}
