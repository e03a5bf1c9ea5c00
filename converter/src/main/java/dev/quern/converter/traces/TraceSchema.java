package dev.quern.converter.traces;

import static org.apache.parquet.schema.PrimitiveType.PrimitiveTypeName.BINARY;
import static org.apache.parquet.schema.PrimitiveType.PrimitiveTypeName.FLOAT;
import static org.apache.parquet.schema.PrimitiveType.PrimitiveTypeName.INT32;

import java.util.List;
import java.util.Set;
import org.apache.parquet.schema.LogicalTypeAnnotation;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.PrimitiveType.PrimitiveTypeName;
import org.apache.parquet.schema.Type;
import org.apache.parquet.schema.Types;

/** The columns as Parquet types; nothing is ever null. */
final class TraceSchema {
  private TraceSchema() {}

  /** In the order of {@link TraceColumn}. */
  static MessageType of(Set<TraceColumn> columns) {
    List<Type> fields = columns.stream().sorted().map(TraceSchema::field).toList();
    return new MessageType("trace", fields);
  }

  static Type field(TraceColumn column) {
    return switch (column) {
      case DOCUMENT, WINDOW, POSITION, TOKEN -> Types.required(INT32).named(column.label());
      case INPUT, ENTERED, SCORES -> Types.required(BINARY).named(column.label());
      case EXPERTS -> list(INT32, column);
      case WEIGHTS -> list(FLOAT, column);
    };
  }

  /** Three levels, as the format's specification has lists (LogicalTypes.md, "Lists"). */
  private static Type list(PrimitiveTypeName type, TraceColumn column) {
    return Types.requiredGroup()
        .as(LogicalTypeAnnotation.listType())
        .repeatedGroup()
        .required(type)
        .named("element")
        .named("list")
        .named(column.label());
  }
}
