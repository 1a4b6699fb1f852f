package org.maskedkd.data;

/**
 * The small figures that tell the classes of generated images apart, each inside [-1, 1] x [-1, 1].
 */
enum Motif {
  RING {
    @Override
    boolean covers(double x, double y) {
      double radius = Math.hypot(x, y);
      return radius > 0.5 && radius < 0.95;
    }
  },
  CROSS {
    @Override
    boolean covers(double x, double y) {
      return Math.min(Math.abs(x), Math.abs(y)) < 0.24;
    }
  },
  FRAME {
    @Override
    boolean covers(double x, double y) {
      return Math.max(Math.abs(x), Math.abs(y)) > 0.55;
    }
  },
  BARS {
    @Override
    boolean covers(double x, double y) {
      return Math.abs(Math.abs(x) - 0.62) < 0.27;
    }
  },
  WEDGE {
    @Override
    boolean covers(double x, double y) {
      return Math.abs(x) < (y + 1) / 2 && y < 0.9;
    }
  },
  DOTS {
    @Override
    boolean covers(double x, double y) {
      return Math.hypot(Math.abs(x) - 0.58, Math.abs(y) - 0.58) < 0.4;
    }
  },
  SALTIRE {
    @Override
    boolean covers(double x, double y) {
      return Math.abs(Math.abs(x) - Math.abs(y)) < 0.32;
    }
  },
  STEPS {
    @Override
    boolean covers(double x, double y) {
      return Math.abs(Math.abs(y) - 0.62) < 0.27;
    }
  },
  HOURGLASS {
    @Override
    boolean covers(double x, double y) {
      return Math.abs(x) < Math.abs(y) * 0.95;
    }
  },
  CHECKER {
    @Override
    boolean covers(double x, double y) {
      return (x > 0) == (y > 0);
    }
  },
  DISC {
    @Override
    boolean covers(double x, double y) {
      return Math.hypot(x, y) < 0.8;
    }
  },
  HOOK {
    @Override
    boolean covers(double x, double y) {
      return y > 0.45 || Math.abs(x) > 0.5;
    }
  };

  abstract boolean covers(double x, double y);
}
