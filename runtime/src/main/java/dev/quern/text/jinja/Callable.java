package dev.quern.text.jinja;

/** Functions, macros and methods bound to their value. */
interface Callable {
  Object call(Args args);
}
