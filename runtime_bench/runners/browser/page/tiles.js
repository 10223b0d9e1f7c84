/** Tiles of a picture, as all hosts place them; tests/contract/tiles.json has examples. */

/**
 * Return height and width of the picture that tiles cover: on the grid, a window at least.
 *
 * What it has beyond the picture mirrors the picture's edges.
 */
export function onGrid(picture, { window, grid }) {
  const side = (length, least) => Math.max(least, Math.ceil(length / grid) * grid);
  return { height: side(picture.height, window.height), width: side(picture.width, window.width) };
}

/**
 * Return the tiles along one side, each the start of its window and its own begin and end.
 *
 * @param {number} length Length of the side, on the grid.
 * @param {number} window Length of a window's side.
 * @param {number} first Pixels of a window before its tile, except at the start of the side.
 * @param {number} last Pixels of a window after its tile, except at the end of the side.
 * @throws {Error} Windows are all margin.
 */
export function spansOf(length, window, first, last) {
  if (first + last >= window && length > window) {
    throw new Error(
      `a window of ${window} pixels has no tile between margins of ${first} and ${last} pixels: ` +
      "export again with --full and a larger --size",
    );
  }
  const spans = [];
  let begin = 0;
  while (begin < length) {
    const start = Math.min(Math.max(0, begin - first), length - window);
    const end = start + window === length ? length : start + window - last;
    spans.push({ start, begin, end });
    begin = end;
  }
  return spans;
}

/** Return the tiles of a pass, row by row: {rows, columns}. */
export function tilesOf(sides, { window }, { top, bottom, left, right }) {
  const across = spansOf(sides.width, window.width, left, right);
  return spansOf(sides.height, window.height, top, bottom)
    .flatMap((rows) => across.map((columns) => ({ rows, columns })));
}

/** Return top, left, bottom and right of a tile in its window. */
export function regionOf({ rows, columns }) {
  return [
    rows.begin - rows.start, columns.begin - columns.start,
    rows.end - rows.start, columns.end - columns.start,
  ];
}

/** Return height and width of the map of a picture. */
export function sizeOfMap(sides, { window }, { height, width, stride, scale = 1 }) {
  const side = (inner, whole, outer) => inner + Math.floor(((whole - outer) * scale) / stride);
  return {
    height: side(height, sides.height, window.height), width: side(width, sides.width, window.width),
  };
}

/** Return a tile in elements of a map. */
export function innerTile(tile, sides, tiling, map) {
  const size = sizeOfMap(sides, tiling, map);
  const inner = ({ start, begin, end }, length, last) => {
    const element = (pixel) => Math.floor((pixel * (map.scale ?? 1)) / map.stride);
    return { start: element(start), begin: element(begin), end: end === length ? last : element(end) };
  };
  return {
    rows: inner(tile.rows, sides.height, size.height),
    columns: inner(tile.columns, sides.width, size.width),
  };
}

/** Return the number of places of a map that lie in a tile. */
export function placesIn(tile, sides, tiling, map) {
  const { rows, columns } = innerTile(tile, sides, tiling, map);
  return (rows.end - rows.begin) * (columns.end - columns.begin);
}

/**
 * Return the most bytes that maps take at once, float32.
 *
 * @param {string[][]} reads Names of the inputs of each pass.
 * @param {string[][]} gives Names of the outputs of each pass.
 * @param {string[]} kept Maps that are kept after their last reader.
 */
export function storedBytes(sides, tiling, reads, gives, kept) {
  const bytes = new Map(tiling.maps.map((map) => {
    const { height, width } = sizeOfMap(sides, tiling, map);
    return [map.name, 4 * map.channels * height * width];
  }));
  let most = 0;
  let living = new Set();
  gives.forEach((given, number) => {
    given.filter((name) => bytes.has(name)).forEach((name) => living.add(name));
    most = Math.max(most, [...living].reduce((sum, name) => sum + bytes.get(name), 0));
    const later = new Set([...reads.slice(number + 1).flat(), ...kept]);
    living = new Set([...living].filter((name) => later.has(name)));
  });
  return most;
}

/** Statistic over some tiles, in float64; of none at first. */
export class MergedStatistic {
  #fact;

  /** @param fact `statistics` entry of a tiling. */
  constructor(fact) {
    this.#fact = fact;
    /** Number of places. */
    this.count = 0;
    /** Values, as tiles give them, over all these places. */
    this.values = new Float64Array(fact.length);
  }

  /** Add a tile: the pairwise formula of Chan, Golub and LeVeque (1979). */
  add(places, tile) {
    const share = places / (this.count + places);
    const half = this.#fact.kind === "moments" ? this.#fact.length / 2 : 0;
    const differences = this.values.map((value, index) => tile[index] - value);
    differences.forEach((difference, index) => {
      this.values[index] += difference * share;
      if (index < half) {
        this.values[half + index] += difference ** 2 * share * (1 - share);
      }
    });
    this.count += places;
  }

  /** Return what files take, [1, length]. */
  given() {
    const { kind, length, correction, height, width } = this.#fact;
    const first = kind === "moments" ? length / 2 : 0;
    const places = height * width;
    const factor =
      correction && this.count > 1 ? (1 - 1 / places) / (1 - 1 / this.count) : 1;
    const data = Float32Array.from(this.values, (value, index) =>
      index < first ? value : value * factor);
    return { shape: [1, length], data };
  }
}

/** Return the pixel indices of a range, mirrored at the edges as often as needed. */
export function mirroredIndices(length, begin, count) {
  const period = 2 * length;
  return Int32Array.from({ length: count }, (_, index) => {
    const folded = (((begin + index) % period) + period) % period;
    return Math.min(folded, period - 1 - folded);
  });
}
