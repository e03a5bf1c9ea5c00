package dev.quern.text.jinja;

import dev.quern.text.jinja.Token.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** Statements; the expressions inside them are {@link ExprParser}'s. */
final class Parser {
  private final TokenReader in;
  private final ExprParser expressions;
  private int loops;

  private Parser(List<Token> tokens, int maxDepth) {
    this.in = new TokenReader(tokens, maxDepth);
    this.expressions = new ExprParser(in);
  }

  static List<Node> parse(List<Token> tokens, int maxDepth) {
    Parser parser = new Parser(tokens, maxDepth);
    List<Node> nodes = parser.body(Set.of());
    if (parser.in.peek().kind() != Kind.END) {
      throw parser.in.unexpected("a tag", parser.in.next());
    }
    return nodes;
  }

  /** Nodes up to a tag named in {@code ends}, whose name is the next token; or to the end. */
  private List<Node> body(Set<String> ends) {
    in.enter();
    List<Node> nodes = new ArrayList<>();
    while (true) {
      Token token = in.peek();
      switch (token.kind()) {
        case TEXT -> {
          in.next();
          nodes.add(new Node.Text(token.line(), token.text()));
        }
        case OPEN_PRINT -> {
          in.next();
          Expr value = expressions.tuple();
          in.expect(Kind.CLOSE_PRINT, "}}");
          nodes.add(new Node.Print(token.line(), value));
        }
        case OPEN_TAG -> {
          in.next();
          Token name = in.peek();
          if (name.kind() == Kind.NAME && ends.contains(name.text())) {
            in.leave();
            return nodes;
          }
          in.next();
          nodes.add(statement(token.line(), name, ends));
        }
        default -> {
          if (!ends.isEmpty()) {
            throw new TemplateException(
                token.line(), "expected '" + lastOf(ends) + "', found the end");
          }
          in.leave();
          return nodes;
        }
      }
    }
  }

  private static String lastOf(Set<String> ends) {
    return ends.stream().filter(end -> end.startsWith("end")).findFirst().orElseThrow();
  }

  private Node statement(int line, Token name, Set<String> ends) {
    return switch (name.text()) {
      case "if" -> ifNode(line);
      case "for" -> forNode(line);
      case "set" -> set(line);
      case "macro" -> macro(line);
      case "call" -> call(line);
      case "filter" -> filter(line);
      case "break", "continue" -> {
        if (loops == 0) {
          throw new TemplateException(line, "'" + name.text() + "' stands outside of a loop");
        }
        closeTag();
        yield name.text().equals("break") ? new Node.Break(line) : new Node.Continue(line);
      }
      case "generation" -> {
        closeTag();
        yield new Node.Generation(line, bodyUntil("endgeneration"));
      }
      default -> {
        String expected = ends.isEmpty() ? "" : ", expected '" + lastOf(ends) + "'";
        throw new TemplateException(line, "unknown tag " + name + expected);
      }
    };
  }

  private void closeTag() {
    in.expect(Kind.CLOSE_TAG, "%}");
  }

  private List<Node> bodyUntil(String end) {
    List<Node> body = body(Set.of(end));
    in.next();
    closeTag();
    return body;
  }

  private Node ifNode(int line) {
    List<Node.Branch> branches = new ArrayList<>();
    List<Node> otherwise = List.of();
    int branchLine = line;
    while (true) {
      Expr condition = expressions.tuple();
      closeTag();
      List<Node> body = body(Set.of("elif", "else", "endif"));
      branches.add(new Node.Branch(branchLine, condition, body));
      Token end = in.next();
      branchLine = end.line();
      if (end.text().equals("elif")) {
        continue;
      }
      closeTag();
      if (end.text().equals("else")) {
        otherwise = bodyUntil("endif");
      }
      return new Node.If(line, branches, otherwise);
    }
  }

  private Node forNode(int line) {
    List<String> targets = targets();
    in.expect(Kind.NAME, "in");
    Expr values = expressions.tupleWithoutConditional();
    Expr filter = in.skip(Kind.NAME, "if") ? expressions.expression() : null;
    if (in.skip(Kind.NAME, "recursive")) {
      throw new TemplateException(line, "recursive loops are not supported");
    }
    closeTag();
    loops++;
    List<Node> body = body(Set.of("else", "endfor"));
    loops--;
    boolean hasElse = in.next().text().equals("else");
    closeTag();
    List<Node> otherwise = hasElse ? bodyUntil("endfor") : List.of();
    return new Node.For(line, targets, values, filter, body, otherwise);
  }

  private List<String> targets() {
    boolean parenthesised = in.skip(Kind.OPERATOR, "(");
    List<String> names = new ArrayList<>();
    do {
      names.add(in.expectName());
    } while (in.skip(Kind.OPERATOR, ","));
    if (parenthesised) {
      in.expect(Kind.OPERATOR, ")");
    }
    return names;
  }

  private Node set(int line) {
    List<String> targets = targets();
    String target = targets.getFirst();
    if (targets.size() == 1 && in.skip(Kind.OPERATOR, ".")) {
      String attribute = in.expectName();
      in.expect(Kind.OPERATOR, "=");
      Expr value = expressions.tuple();
      closeTag();
      return new Node.SetAttribute(line, target, attribute, value);
    }
    if (in.skip(Kind.OPERATOR, "=")) {
      Expr value = expressions.tuple();
      closeTag();
      return new Node.Set(line, targets, value);
    }
    closeTag();
    return new Node.SetBlock(line, target, bodyUntil("endset"));
  }

  private Node macro(int line) {
    String name = in.expectName();
    List<Node.Parameter> parameters = parameters();
    closeTag();
    int outer = loops;
    loops = 0; // a macro's body belongs to no loop around it
    List<Node> body = bodyUntil("endmacro");
    loops = outer;
    return new Node.Macro(line, name, parameters, body);
  }

  private List<Node.Parameter> parameters() {
    List<Node.Parameter> parameters = new ArrayList<>();
    in.expect(Kind.OPERATOR, "(");
    while (!in.skip(Kind.OPERATOR, ")")) {
      if (!parameters.isEmpty()) {
        in.expect(Kind.OPERATOR, ",");
      }
      String name = in.expectName();
      Expr standard = in.skip(Kind.OPERATOR, "=") ? expressions.expression() : null;
      parameters.add(new Node.Parameter(name, standard));
    }
    return parameters;
  }

  private Node call(int line) {
    List<Node.Parameter> parameters = in.peek().is(Kind.OPERATOR, "(") ? parameters() : List.of();
    if (!(expressions.expression() instanceof Expr.Call call)) {
      throw new TemplateException(line, "expected a call after 'call'");
    }
    closeTag();
    int outer = loops;
    loops = 0;
    List<Node> body = bodyUntil("endcall");
    loops = outer;
    return new Node.CallBlock(line, parameters, call, body);
  }

  private Node filter(int line) {
    String name = in.expectName();
    Expr.Arguments arguments =
        in.peek().is(Kind.OPERATOR, "(") ? expressions.arguments() : Expr.Arguments.NONE;
    closeTag();
    Expr.Filter filter = new Expr.Filter(new Expr.Literal(""), name, arguments);
    return new Node.FilterBlock(line, filter, bodyUntil("endfilter"));
  }
}
