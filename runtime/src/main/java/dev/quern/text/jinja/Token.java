package dev.quern.text.jinja;

/**
 * @param text the characters of TEXT and STRING after unescaping, else as written
 * @param line from 1
 */
record Token(Kind kind, String text, int line) {
  enum Kind {
    TEXT,
    OPEN_PRINT,
    CLOSE_PRINT,
    OPEN_TAG,
    CLOSE_TAG,
    NAME,
    STRING,
    INTEGER,
    FLOAT,
    OPERATOR,
    END
  }

  boolean is(Kind wanted, String wantedText) {
    return kind == wanted && text.equals(wantedText);
  }

  @Override
  public String toString() {
    return kind == Kind.END ? "the end" : kind == Kind.TEXT ? "text" : "'" + text + "'";
  }
}
