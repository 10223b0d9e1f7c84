/** Frames of a camera, with statistics smoothed over time; docs/reference/film.md specifies them. */

/** Time constant in seconds of the average at a stability of 1. */
export const LONGEST_SECONDS = 1;
/** Distance of two frames' statistics above which they are of two scenes. */
export const CUT = 0.3;
/** Least deviation, as a share of the root mean square of all channels'. */
export const FLOOR = 0.05;

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const lengthOf = (values) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));

/** Statistics of a film, smoothed over time until a cut. */
export class SmoothedStatistics {
  #kinds;
  #constant;
  #averages = new Map();
  #first = null;
  #seconds = null;
  #weight = 1;
  #begins = true;

  /**
   * @param {Record<string, string>} kinds Kinds of the statistics by name.
   * @param {number} stability 0 takes each frame's own, 1 averages longest.
   */
  constructor(kinds, stability) {
    this.#kinds = kinds;
    this.#constant = stability * LONGEST_SECONDS;
    /** Whether the last frame is the first of a scene after another one. */
    this.isCut = false;
  }

  /** Begin a frame that is shown at a time in seconds. */
  frame(seconds) {
    this.#weight = this.#seconds === null || this.#constant <= 0
      ? 1
      : -Math.expm1(-Math.max(0, seconds - this.#seconds) / this.#constant);
    this.#seconds = seconds;
    this.#begins = true;
    this.isCut = false;
  }

  /** Return the statistics to take for those of a pass, name -> values; passes come in order. */
  settle(given) {
    if (this.#begins) {
      this.isCut = this.#first !== null && this.#distance(this.#first, given) > CUT;
      this.#weight = this.isCut ? 1 : this.#weight;
      this.#first = given;
      this.#begins = false;
    }
    return Object.fromEntries(Object.entries(given).map(([name, values]) => {
      const before = this.#averages.get(name) ?? values;
      const average = Float64Array.from(values, (value, index) =>
        before[index] + this.#weight * (value - before[index]));
      this.#averages.set(name, average);
      return [name, average];
    }));
  }

  /** Return how far apart the statistics of the first pass over two frames are. */
  #distance(before, after) {
    const each = Object.entries(after).map(([name, values]) =>
      (this.#kinds[name] === "moments" ? ofMoments : ofMeans)([...before[name]], [...values]));
    return Math.sqrt(mean(each));
  }
}

function ofMoments(before, after) {
  const half = after.length / 2;
  const [own, other] = [deviations(before.slice(half)), deviations(after.slice(half))];
  return mean(own.map((deviation, channel) =>
    (after[channel] - before[channel]) ** 2 / (deviation * other[channel]) +
    Math.log(other[channel] / deviation) ** 2));
}

/** Return deviations of variances, raised to the floor; 1 where all are 0. */
function deviations(variances) {
  const positive = variances.map((value) => Math.max(0, value));
  const least = FLOOR * Math.sqrt(mean(positive));
  return positive.map((value) => (least > 0 ? Math.max(Math.sqrt(value), least) : 1));
}

function ofMeans(before, after) {
  const lengths = lengthOf(before) * lengthOf(after);
  const difference = lengthOf(after.map((value, index) => value - before[index])) ** 2;
  if (lengths > 0) {
    return difference / lengths;
  }
  return difference > 0 ? 1 : 0;
}

/** Painter of frames of a window's size: all passes stay open, and maps stay in memory. */
export class FramePainter {
  #tiling;
  #passes;
  #smoothed;

  /** @param passes Cells of the tiling's passes with their sessions: {cell, session}. */
  constructor(tiling, passes, stability) {
    this.#tiling = tiling;
    this.#passes = passes;
    const kinds = Object.fromEntries(tiling.statistics.map(({ name, kind }) => [name, kind]));
    this.#smoothed = new SmoothedStatistics(kinds, stability);
  }

  /** Open the passes of a tiling. */
  static async open(tiling, cells, stability, open) {
    const passes = [];
    try {
      for (const { path } of tiling.passes) {
        const cell = cells.find(({ subject }) => subject.path === path);
        passes.push({ cell, session: await open(cell) });
      }
    } catch (error) {
      passes.forEach(({ session }) => session.close());
      throw error;
    }
    return new FramePainter(tiling, passes, stability);
  }

  /**
   * Return a painted frame.
   *
   * @param content Tensor of the frame, [1, 3, H, W], of the window's size.
   * @param inputs `style_code` and `strength`, where the files take them.
   * @param {number} seconds When the frame was taken.
   */
  async paint(content, inputs, seconds) {
    const { height, width } = this.#tiling.window;
    const region = { shape: [4], data: Float32Array.of(0, 0, height, width) };
    const known = { ...inputs, content, region };
    this.#smoothed.frame(seconds);
    for (const { cell, session } of this.#passes) {
      session.feed(Object.fromEntries(cell.inputs.map(({ name }) => [name, known[name]])));
      await session.invoke();
      // A runtime may use the memory of its outputs again.
      const outputs = Object.entries(session.fetch());
      outputs.forEach(([name, { shape, data }]) => (known[name] = { shape, data: data.slice() }));
      this.#settle(cell, known);
    }
    return known[this.#passes.at(-1).cell.outputs.find(({ kind }) => kind === "image").name];
  }

  /** Smooth the statistics that a pass gave; those of a frame are its only tile's. */
  #settle({ outputs }, known) {
    const names = outputs.filter(({ kind }) => kind === "statistic").map(({ name }) => name);
    if (names.length) {
      const given = names.map((name) => [name, Float64Array.from(known[name].data)]);
      const settled = this.#smoothed.settle(Object.fromEntries(given));
      for (const [name, values] of Object.entries(settled)) {
        known[name] = { shape: [1, values.length], data: Float32Array.from(values) };
      }
    }
  }

  /** Close the passes. */
  close() {
    this.#passes.forEach(({ session }) => session.close());
  }
}
