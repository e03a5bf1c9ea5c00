package dev.quern.text.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Executes the nodes of one template, once. */
final class Interpreter {
  /** How a list of nodes ended. */
  private enum Flow {
    ON,
    BREAK,
    CONTINUE
  }

  private final Budget budget;
  private Scope scope;
  private StringBuilder out = new StringBuilder();
  private long written; // by the outputs that are not yet part of this one
  private int loopDepth;
  private int line = 1;

  Interpreter(Budget budget, Scope scope) {
    this.budget = budget;
    this.scope = scope;
  }

  String run(List<Node> nodes) {
    try {
      execute(nodes);
      return out.toString();
    } catch (TemplateException e) {
      throw new TemplateException(line, e.getMessage());
    } catch (ArithmeticException e) {
      throw new TemplateException(line, "number too large");
    }
  }

  private Flow execute(List<Node> nodes) {
    for (Node node : nodes) {
      line = node.line();
      budget.enter();
      Flow flow = execute(node);
      budget.leave();
      if (flow != Flow.ON) {
        return flow;
      }
    }
    return Flow.ON;
  }

  private Flow execute(Node node) {
    switch (node) {
      case Node.Text text -> write(text.text());
      case Node.Print print -> write(Values.text(eval(print.value()), budget));
      case Node.If choice -> {
        for (Node.Branch branch : choice.branches()) {
          line = branch.line();
          if (Values.truth(eval(branch.condition()))) {
            return execute(branch.body());
          }
        }
        return execute(choice.otherwise());
      }
      case Node.For loop -> loop(loop);
      case Node.Set set -> assign(set.targets(), eval(set.value()));
      case Node.SetAttribute set -> {
        if (!(scope.get(set.target()) instanceof Namespace namespace)) {
          throw new TemplateException("'" + set.target() + "' is no namespace");
        }
        namespace.attributes().put(set.attribute(), eval(set.value()));
      }
      case Node.SetBlock set -> scope.set(set.target(), capture(set.body()));
      case Node.Macro macro ->
          scope.set(macro.name(), macro(macro.name(), macro.parameters(), macro.body()));
      case Node.CallBlock block -> {
        Callable caller = macro("caller", block.parameters(), block.body());
        Args given = arguments(block.call().arguments(), nameOf(block.call().target()));
        Map<String, Object> named = new LinkedHashMap<>(given.named());
        named.put("caller", caller);
        Object called = eval(block.call().target());
        write(
            Values.text(call(called, new Args(given.callee(), given.positional(), named)), budget));
      }
      case Node.FilterBlock block -> {
        Expr.Filter filter = block.filter();
        Args args = arguments(filter.arguments(), filter.name());
        String body = capture(block.body());
        write(Values.text(Filters.apply(filter.name(), body, args, budget), budget));
      }
      case Node.Generation marked -> {
        return execute(marked.body());
      }
      case Node.Break b -> {
        return Flow.BREAK;
      }
      case Node.Continue c -> {
        return Flow.CONTINUE;
      }
    }
    return Flow.ON;
  }

  private void write(String text) {
    budget.output(written + out.length() + text.length());
    out.append(text);
  }

  private String capture(List<Node> body) {
    StringBuilder outer = out;
    written += outer.length();
    out = new StringBuilder();
    execute(body);
    String captured = out.toString();
    out = outer;
    written -= outer.length();
    budget.characters(captured.length());
    return captured;
  }

  private void assign(List<String> targets, Object value) {
    if (targets.size() == 1) {
      scope.set(targets.getFirst(), value);
      return;
    }
    List<Object> parts = Values.elements(value, budget);
    if (parts.size() != targets.size()) {
      throw new TemplateException(
          "cannot unpack " + parts.size() + " values into " + targets.size() + " names");
    }
    for (int i = 0; i < parts.size(); i++) {
      scope.set(targets.get(i), parts.get(i));
    }
  }

  private void loop(Node.For loop) {
    Scope outer = scope;
    List<Object> values = Values.elements(eval(loop.values()), budget);
    if (loop.filter() != null) {
      values.removeIf(value -> {
        scope = new Scope(outer);
        assign(loop.targets(), value);
        return !Values.truth(eval(loop.filter()));
      });
      scope = outer;
    }
    if (values.isEmpty()) {
      execute(loop.otherwise());
      return;
    }
    loopDepth++;
    for (int i = 0; i < values.size(); i++) {
      budget.steps(1);
      scope = new Scope(outer);
      assign(loop.targets(), values.get(i));
      scope.set("loop", new Loop(values, i, loopDepth));
      if (execute(loop.body()) == Flow.BREAK) {
        break;
      }
    }
    loopDepth--;
    scope = outer;
  }

  private Callable macro(String name, List<Node.Parameter> parameters, List<Node> body) {
    Scope defining = scope;
    return args -> {
      Scope caller = scope;
      int callLine = line;
      scope = new Scope(defining);
      if (args.positional().size() > parameters.size()) {
        throw new TemplateException(
            name + ": expected at most " + parameters.size() + " arguments");
      }
      for (int i = 0; i < parameters.size(); i++) {
        Node.Parameter parameter = parameters.get(i);
        Object value;
        if (args.has(i, parameter.name())) {
          value = args.get(i, parameter.name(), null);
        } else {
          value =
              parameter.standard() == null
                  ? new Undefined(parameter.name())
                  : eval(parameter.standard());
        }
        scope.set(parameter.name(), value);
      }
      args.named()
          .forEach((given, value) -> {
            boolean known =
                given.equals("caller") || parameters.stream().anyMatch(p -> p.name().equals(given));
            if (!known) {
              throw new TemplateException(name + ": unknown argument '" + given + "'");
            }
            scope.set(given, value);
          });
      String text = capture(body);
      scope = caller;
      line = callLine;
      return text;
    };
  }

  private Object eval(Expr expr) {
    budget.enter();
    Object value =
        switch (expr) {
          case Expr.Literal literal -> literal.value();
          case Expr.Name name -> scope.get(name.name());
          case Expr.Attribute access -> attribute(eval(access.target()), access.name());
          case Expr.Item access ->
              Operators.item(eval(access.target()), eval(access.key()), budget);
          case Expr.Slice slice ->
              Operators.slice(
                  eval(slice.target()),
                  evalOrNull(slice.from()),
                  evalOrNull(slice.to()),
                  evalOrNull(slice.step()),
                  budget);
          case Expr.Call call -> call(call);
          case Expr.Filter filter ->
              Filters.apply(
                  filter.name(),
                  eval(filter.target()),
                  arguments(filter.arguments(), filter.name()),
                  budget);
          case Expr.Test test ->
              test.negated()
                  != Tests.holds(
                      test.name(),
                      eval(test.target()),
                      arguments(test.arguments(), test.name()),
                      budget);
          case Expr.Not not -> !Values.truth(eval(not.operand()));
          case Expr.Sign sign -> Operators.sign(sign.operator(), eval(sign.operand()));
          case Expr.Binary binary ->
              Operators.binary(
                  binary.operator(), eval(binary.left()), eval(binary.right()), budget);
          case Expr.Logic logic -> {
            Object left = eval(logic.left());
            yield Values.truth(left) == logic.and() ? eval(logic.right()) : left;
          }
          case Expr.Compare compare -> compare(compare);
          case Expr.Conditional choice ->
              Values.truth(eval(choice.condition()))
                  ? eval(choice.then())
                  : choice.otherwise() == null
                      ? new Undefined("value of an if without else")
                      : eval(choice.otherwise());
          case Expr.ListOf list -> {
            List<Object> elements = evalAll(list.elements());
            yield list.tuple() ? new Tuple(elements) : elements;
          }
          case Expr.DictOf dict -> {
            Map<Object, Object> map = new LinkedHashMap<>();
            for (int i = 0; i < dict.keys().size(); i++) {
              map.put(Values.key(eval(dict.keys().get(i))), eval(dict.values().get(i)));
            }
            yield map;
          }
        };
    budget.leave();
    return value;
  }

  private Object evalOrNull(Expr expr) {
    return expr == null ? null : eval(expr);
  }

  private List<Object> evalAll(List<Expr> exprs) {
    List<Object> values = new ArrayList<>(exprs.size());
    for (Expr expr : exprs) {
      values.add(eval(expr));
    }
    return values;
  }

  private boolean compare(Expr.Compare compare) {
    Object left = eval(compare.first());
    for (Expr.Comparison next : compare.rest()) {
      Object right = eval(next.right());
      if (!Operators.compare(next.operator(), left, right, budget)) {
        return false;
      }
      left = right;
    }
    return true;
  }

  /** Outside of a call an item of a dict hides a method of the same name. */
  private Object attribute(Object target, String name) {
    Object value = Operators.attribute(target, name);
    Callable method = value instanceof Undefined ? Methods.find(target, name, budget) : null;
    return method == null ? value : method;
  }

  private Object call(Expr.Call call) {
    if (call.target() instanceof Expr.Attribute access) {
      Object target = eval(access.target());
      Callable method = Methods.find(target, access.name(), budget);
      Object called = method == null ? Operators.attribute(target, access.name()) : method;
      return call(called, arguments(call.arguments(), access.name()));
    }
    Object called = eval(call.target());
    return call(called, arguments(call.arguments(), nameOf(call.target())));
  }

  private static Object call(Object called, Args args) {
    return switch (called) {
      case Callable function -> function.call(args);
      case Undefined undefined -> throw undefined.failure();
      case null, default -> throw new TemplateException("cannot call " + Values.typeName(called));
    };
  }

  private static String nameOf(Expr target) {
    return switch (target) {
      case Expr.Name name -> name.name();
      case Expr.Attribute access -> access.name();
      default -> "call";
    };
  }

  private Args arguments(Expr.Arguments arguments, String callee) {
    if (arguments.positional().isEmpty() && arguments.named().isEmpty()) {
      return Args.none(callee);
    }
    Map<String, Object> named = new LinkedHashMap<>();
    List<Object> positional = evalAll(arguments.positional());
    for (Expr.Named argument : arguments.named()) {
      named.put(argument.name(), eval(argument.value()));
    }
    return new Args(callee, positional, named);
  }
}
