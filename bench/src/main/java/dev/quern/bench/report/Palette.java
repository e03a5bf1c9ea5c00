package dev.quern.bench.report;

import java.awt.BasicStroke;
import java.awt.Color;
import org.knowm.xchart.style.markers.Marker;
import org.knowm.xchart.style.markers.SeriesMarkers;

/**
 * One colour and one marker per method, the same in every chart. Colours: Okabe and Ito, "Color
 * Universal Design" (2008), told apart by people with any colour vision.
 */
enum Palette {
  ORIGINAL("original", new Color(0x55, 0x55, 0x55), SeriesMarkers.NONE),
  TURBO("turbo", new Color(0x00, 0x72, 0xB2), SeriesMarkers.CIRCLE),
  TURBO_RMS("turbo-rms", new Color(0xE6, 0x9F, 0x00), SeriesMarkers.SQUARE),
  AFFINE("affine", new Color(0xD5, 0x5E, 0x00), SeriesMarkers.DIAMOND),
  TURBO_QJL("turbo+qjl", new Color(0x00, 0x9E, 0x73), SeriesMarkers.TRIANGLE_UP),
  OTHER("other", new Color(0xCC, 0x79, 0xA7), SeriesMarkers.TRIANGLE_DOWN);

  static final BasicStroke LINE = stroke();
  static final BasicStroke DASHED = stroke(7f, 5f);
  static final BasicStroke DOTTED = stroke(2f, 4f);

  private final String method;
  private final Color color;
  private final Marker marker;

  Palette(String method, Color color, Marker marker) {
    this.method = method;
    this.color = color;
    this.marker = marker;
  }

  static Palette of(String method) {
    for (Palette entry : values()) {
      if (entry.method.equals(method)) {
        return entry;
      }
    }
    return OTHER;
  }

  Color color() {
    return color;
  }

  Marker marker() {
    return marker;
  }

  private static BasicStroke stroke(float... dashes) {
    return dashes.length == 0
        ? new BasicStroke(2.4f, BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND)
        : new BasicStroke(2.0f, BasicStroke.CAP_BUTT, BasicStroke.JOIN_ROUND, 10f, dashes, 0f);
  }
}
