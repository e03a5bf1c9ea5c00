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
    } catch (StackOverflowError e) {
      throw new TemplateException(line, "nested too deep");
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
      case Node.For loop -> loop(loop, eval(loop.values()), 0);
      case Node.Set set -> assign(set.target(), eval(set.value()));
      case Node.SetBlock set -> assign(set.target(), filtered(set.filters(), capture(set.body())));
      case Node.With with -> {
        Scope inner = new Scope(scope);
        for (int i = 0; i < with.names().size(); i++) {
          inner.set(with.names().get(i), eval(with.values().get(i)));
        }
        return within(inner, with.body());
      }
      case Node.Macro macro ->
          scope.set(macro.name(), macro(macro.name(), macro.signature(), macro.body()));
      case Node.CallBlock block -> {
        Callable caller = macro("caller", block.signature(), block.body());
        Args given = arguments(block.call().arguments(), nameOf(block.call().target()));
        Map<String, Object> named = new LinkedHashMap<>(given.named());
        named.put("caller", caller);
        Object called = eval(block.call().target());
        write(
            Values.text(call(called, new Args(given.callee(), given.positional(), named)), budget));
      }
      case Node.FilterBlock block ->
          write(Values.text(filtered(block.filters(), capture(block.body())), budget));
      case Node.Generation marked -> {
        return within(new Scope(scope), marked.body());
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

  private Flow within(Scope inner, List<Node> body) {
    Scope outer = scope;
    scope = inner;
    Flow flow = execute(body);
    scope = outer;
    return flow;
  }

  /** What the body writes, with names of its own. */
  private String capture(List<Node> body) {
    return capture(new Scope(scope), () -> execute(body));
  }

  private String capture(Scope inner, Runnable body) {
    Scope outer = scope;
    int outerLine = line;
    StringBuilder before = out;
    written += before.length();
    out = new StringBuilder();
    scope = inner;
    body.run();
    scope = outer;
    line = outerLine;
    String captured = out.toString();
    out = before;
    written -= before.length();
    budget.characters(captured.length());
    return captured;
  }

  private Object filtered(List<Expr.Filter> filters, Object value) {
    Object result = value;
    for (Expr.Filter filter : filters) {
      Args args = arguments(filter.arguments(), filter.name());
      result = Filters.apply(filter.name(), result, args, budget);
    }
    return result;
  }

  private void assign(Node.Target target, Object value) {
    switch (target) {
      case Node.Target.Name name -> scope.set(name.name(), value);
      case Node.Target.Attribute attribute -> {
        if (!(scope.get(attribute.namespace()) instanceof Namespace namespace)) {
          throw new TemplateException("'" + attribute.namespace() + "' is no namespace");
        }
        namespace.attributes().put(attribute.name(), value);
      }
      case Node.Target.Group group -> {
        List<Object> parts = Values.elements(value, budget);
        if (parts.size() != group.targets().size()) {
          throw new TemplateException(
              "cannot unpack %d values into %d names"
                  .formatted(parts.size(), group.targets().size()));
        }
        for (int i = 0; i < parts.size(); i++) {
          assign(group.targets().get(i), parts.get(i));
        }
      }
    }
  }

  private void loop(Node.For loop, Object given, int depth0) {
    Scope outer = scope;
    List<Object> values = Values.elements(given, budget);
    if (loop.filter() != null) {
      values.removeIf(value -> {
        scope = new Scope(outer);
        assign(loop.target(), value);
        return !Values.truth(eval(loop.filter()));
      });
      scope = outer;
    }
    Loop state = new Loop(values, depth0, loop.recursive() ? again(loop, depth0) : null, budget);
    boolean anyToItsEnd = false;
    for (int i = 0; i < values.size(); i++) {
      budget.steps(1);
      scope = new Scope(outer);
      scope.set("loop", state);
      assign(loop.target(), state.next());
      Flow flow = execute(loop.body());
      anyToItsEnd |= flow == Flow.ON;
      if (flow == Flow.BREAK) {
        break;
      }
    }
    scope = outer;
    if (!anyToItsEnd) { // so Jinja has it, also where every round was cut short
      execute(loop.otherwise());
    }
  }

  /** {@code loop(values)} inside of a recursive loop: the text that it writes for these values. */
  private Callable again(Node.For loop, int depth0) {
    Scope outer = scope;
    return args -> {
      Object values = args.required(0, "iterable");
      return capture(outer, () -> loop(loop, values, depth0 + 1));
    };
  }

  private Macro macro(String name, Node.Signature signature, List<Node> body) {
    Scope defining = scope;
    return new Macro(
        name,
        args -> {
          Scope inner = new Scope(defining);
          return capture(
              inner,
              () -> {
                bind(name, signature, args, inner);
                execute(body);
              });
        });
  }

  /** Sets the parameters of a macro, and what it takes beyond them, in its scope. */
  private void bind(String name, Node.Signature signature, Args args, Scope inner) {
    List<Node.Parameter> parameters = signature.parameters();
    List<Object> given = args.positional();
    Map<String, Object> named = new LinkedHashMap<>(args.named());
    if (signature.takesCaller()) {
      Object caller = named.remove("caller");
      inner.set("caller", caller == null ? new Undefined("caller") : caller);
    }
    for (int i = 0; i < parameters.size(); i++) {
      Node.Parameter parameter = parameters.get(i);
      Object value;
      if (i < given.size()) {
        value = given.get(i);
      } else if (named.containsKey(parameter.name())) {
        value = named.remove(parameter.name());
      } else {
        value =
            parameter.standard() == null
                ? new Undefined(parameter.name())
                : eval(parameter.standard());
      }
      inner.set(parameter.name(), value);
    }
    if (signature.takesMore()) {
      inner.set(
          "varargs",
          new Tuple(given.subList(Math.min(given.size(), parameters.size()), given.size())));
    } else if (given.size() > parameters.size()) {
      throw new TemplateException(name + ": expected at most " + parameters.size() + " arguments");
    }
    if (signature.takesNamed()) {
      inner.set("kwargs", new LinkedHashMap<Object, Object>(named));
    } else if (!named.isEmpty()) {
      throw new TemplateException(
          name + ": unknown argument '" + named.keySet().iterator().next() + "'");
    }
  }

  private Object eval(Expr expr) {
    budget.enter();
    Object value =
        switch (expr) {
          case Expr.Literal literal -> literal.value();
          case Expr.Name name -> scope.get(name.name());
          case Expr.Attribute access ->
              Operators.attribute(eval(access.target()), access.name(), budget);
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
              map.put(Values.key(eval(dict.keys().get(i)), budget), eval(dict.values().get(i)));
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

  private Object call(Expr.Call call) {
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
    if (arguments.equals(Expr.Arguments.NONE)) {
      return Args.none(callee);
    }
    List<Object> positional = evalAll(arguments.positional());
    Map<String, Object> named = new LinkedHashMap<>();
    for (Expr.Named argument : arguments.named()) {
      named.put(argument.name(), eval(argument.value()));
    }
    if (arguments.rest() != null) {
      positional.addAll(Values.elements(eval(arguments.rest()), budget));
    }
    if (arguments.namedRest() != null) {
      if (!(eval(arguments.namedRest()) instanceof Map<?, ?> more)) {
        throw new TemplateException(callee + ": expected a dict after **");
      }
      more.forEach((key, value) -> named.put(Values.text(key, budget), value));
    }
    return new Args(callee, positional, named);
  }
}
