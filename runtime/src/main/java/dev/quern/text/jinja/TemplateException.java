package dev.quern.text.jinja;

/** A template is wrong, asks for too much, or calls raise_exception. One line, with the line. */
public final class TemplateException extends RuntimeException {
  private static final long serialVersionUID = 1;
  private static final int MAX_CHARACTERS = 300;

  /** A problem whose place is not known yet. */
  TemplateException(String problem) {
    super(oneLine(problem));
  }

  TemplateException(int line, String problem) {
    super("line " + line + ": " + oneLine(problem));
  }

  private static String oneLine(String text) {
    String head = text.length() <= MAX_CHARACTERS ? text : text.substring(0, MAX_CHARACTERS) + "…";
    return head.replaceAll("\\p{Cntrl}+", " ");
  }
}
