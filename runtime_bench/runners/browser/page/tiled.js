/** Painting of pictures of any size in tiles, exactly as if they were one. */

import {
  MergedStatistic, innerTile, mirroredIndices, onGrid, placesIn, regionOf, sizeOfMap, storedBytes,
  tilesOf,
} from "./tiles.js";

const STYLES = new Set(["style_code", "strength"]);

/** Return an error for a painting that was not to go on. */
function cancelled() {
  return Object.assign(new Error("the painting was stopped"), { cancelled: true });
}

/** Return a part of an image tensor, of some rows and columns. */
export function gathered({ shape, data }, rows, columns) {
  const [, channels, height, width] = shape;
  const part = new Float32Array(channels * rows.length * columns.length);
  let index = 0;
  for (let channel = 0; channel < channels; channel += 1) {
    for (const row of rows) {
      const base = (channel * height + row) * width;
      for (const column of columns) {
        part[index] = data[base + column];
        index += 1;
      }
    }
  }
  return { shape: [1, channels, rows.length, columns.length], data: part };
}

/** Return a picture that is a tensor in memory. */
export function pictureOf(tensor) {
  const [, , height, width] = tensor.shape;
  return { size: { height, width }, window: (rows, columns) => gathered(tensor, rows, columns) };
}

/**
 * Painter with the files of a tiling.
 *
 * Each pass sees all tiles, and only then are its statistics known. Passes that do not depend on the
 * style are run once: another strength or style renders from the maps that they stored.
 */
export class TiledPainter {
  #tiling;
  #cells;
  #open;
  #store;

  /**
   * @param tiling Entry of the manifest.
   * @param cells Passes of the job.
   * @param {(cell) => Promise<Session>} open Opens a file, which is closed after its pass.
   * @param {(bytes: number, picture: string) => Promise<Store>} store Opens a store of maps.
   */
  constructor(tiling, cells, open, store) {
    this.#tiling = tiling;
    this.#cells = tiling.passes.map(({ path }) => {
      const cell = cells.find(({ subject }) => subject.path === path);
      if (!cell) {
        throw new Error(`the manifest does not list ${path}: export the network again`);
      }
      return cell;
    });
    this.#open = open;
    this.#store = store;
  }

  /** Cell of the last pass. */
  get last() {
    return this.#cells.at(-1);
  }

  /** Whether the files take the strength. */
  get takesStrength() {
    return this.#cells.some(({ inputs }) => inputs.some(({ kind }) => kind === "strength"));
  }

  /** Number of the passes that do not depend on the style. */
  get #shared() {
    return this.#cells.findIndex(({ subject }) => subject.role === "render");
  }

  /** Return the number of tiles of all passes. */
  total(picture) {
    return this.#countBefore(picture, this.#cells.length);
  }

  #countBefore(picture, number) {
    const sides = onGrid(picture, this.#tiling);
    return this.#tiling.passes.slice(0, number)
      .reduce((sum, pass) => sum + tilesOf(sides, this.#tiling, pass).length, 0);
  }

  /** Return the bytes that maps take, those of the features kept. */
  neededBytes(picture) {
    const reads = this.#cells.map(({ inputs }) => inputs.map(({ name }) => name));
    const gives = this.#cells.map(({ outputs }) => outputs.map(({ name }) => name));
    const kept = gives.slice(0, this.#shared).flat();
    return storedBytes(onGrid(picture, this.#tiling), this.#tiling, reads, gives, kept);
  }

  /**
   * Run the passes that do not depend on the style; `store.close()` of what it returns removes them.
   *
   * @param picture Its `size`, and a function `window(rows, columns)` that returns a tensor.
   * @param {(progress: {done: number, total: number}) => Promise<boolean>} report Takes the number of
   *   tiles done, and returns whether to go on.
   * @throws {Error} There is no room for the maps; or a file computes values that are not finite; or
   *   `cancelled`, where the report said so.
   */
  async features(picture, report) {
    const { height, width } = picture.size;
    const store = await this.#store(this.neededBytes(picture.size), `${width}×${height}`);
    try {
      const features = { picture, store, statistics: new Map(), names: [] };
      for (let number = 0; number < this.#shared; number += 1) {
        await this.#run(number, { features, statistics: features.statistics, report });
      }
      features.names = store.names;
      return features;
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  /**
   * Run the passes that depend on the style, on what `features` returned, which may be used again.
   *
   * @param inputs `style_code` and `strength`, where the files take them.
   * @param {(top: number, left: number, pixels) => void} write Takes the painting tile by tile.
   */
  async render(features, inputs, write, report) {
    const statistics = new Map(features.statistics);
    try {
      for (let number = this.#shared; number < this.#cells.length; number += 1) {
        await this.#run(number, { features, statistics, inputs, write, report });
      }
    } finally {
      const made = features.store.names.filter((name) => !features.names.includes(name));
      await Promise.all(made.map((name) => features.store.remove(name)));
    }
  }

  /** Return the painting of a tensor, whole. */
  async painting(inputs) {
    const parts = [];
    const go = async () => true;
    const features = await this.features(pictureOf(inputs.content), go);
    try {
      await this.render(features, inputs, (...part) => parts.push(part), go);
    } finally {
      await features.store.close();
    }
    const side = (axis) => Math.max(...parts.map((part) => part[axis] + part[2].shape[axis + 2]));
    const [height, width] = [side(0), side(1)];
    const data = new Float32Array(3 * height * width);
    for (const [top, left, { shape, data: pixels }] of parts) {
      for (let row = 0; row < 3 * shape[2]; row += 1) {
        const [channel, down] = [Math.floor(row / shape[2]), top + (row % shape[2])];
        const line = pixels.subarray(row * shape[3], (row + 1) * shape[3]);
        data.set(line, (channel * height + down) * width + left);
      }
    }
    return { shape: [1, 3, height, width], data };
  }

  async #run(number, { features, statistics, inputs = {}, write, report }) {
    const { picture, store } = features;
    const cell = this.#cells[number];
    const sides = onGrid(picture.size, this.#tiling);
    const maps = new Map(this.#tiling.maps.map((map) => [map.name, map]));
    const given = (kind) => cell.outputs.filter((fact) => fact.kind === kind);
    for (const { name } of given("map")) {
      const { channels } = maps.get(name);
      await store.add({ name, channels, ...sizeOfMap(sides, this.#tiling, maps.get(name)) });
    }
    const merged = given("statistic").map(({ name }) => {
      const fact = this.#tiling.statistics.find((other) => other.name === name);
      return { name, fact, all: new MergedStatistic(fact) };
    });
    const total = this.total(picture.size);
    let done = this.#countBefore(picture.size, number);
    const session = await this.#open(cell);
    try {
      for (const tile of tilesOf(sides, this.#tiling, this.#tiling.passes[number])) {
        session.feed(await this.#inputsOf(cell, tile, { features, statistics, inputs, sides, maps }));
        await session.invoke();
        const outputs = session.fetch();
        for (const { name, kind } of cell.outputs) {
          checkFinite(outputs[name], cell);
          if (kind === "map") {
            const inner = innerTile(tile, sides, this.#tiling, maps.get(name));
            await store.write(name, inner, outputs[name]);
          } else if (kind === "image") {
            this.#give(tile, outputs[name], picture.size, write);
          }
        }
        for (const { name, fact, all } of merged) {
          all.add(placesIn(tile, sides, this.#tiling, fact), outputs[name].data);
        }
        done += 1;
        if (!(await report({ done, total }))) {
          throw cancelled();
        }
      }
    } finally {
      session.close();
    }
    merged.forEach(({ name, all }) => statistics.set(name, all.given()));
    await this.#dropUnread(number, features);
  }

  /** Write a tile's part of the painting that lies in the picture. */
  #give(tile, image, size, write) {
    const scale = image.shape[2] / this.#tiling.window.height;
    const inside = ({ start, begin, end }, length) =>
      Int32Array.from(
        { length: scale * Math.max(0, Math.min(end, length) - begin) },
        (_, index) => scale * (begin - start) + index,
      );
    const [rows, columns] = [inside(tile.rows, size.height), inside(tile.columns, size.width)];
    if (rows.length && columns.length) {
      write(scale * tile.rows.begin, scale * tile.columns.begin, gathered(image, rows, columns));
    }
  }

  async #inputsOf(cell, tile, { features, statistics, inputs, sides, maps }) {
    const { window } = this.#tiling;
    const { picture, store } = features;
    const found = {};
    for (const { name, kind } of cell.inputs) {
      if (kind === "image") {
        found[name] = await picture.window(
          mirroredIndices(picture.size.height, tile.rows.start, window.height),
          mirroredIndices(picture.size.width, tile.columns.start, window.width),
        );
      } else if (kind === "map") {
        const { height, width } = maps.get(name);
        const { rows, columns } = innerTile(tile, sides, this.#tiling, maps.get(name));
        found[name] = await store.window(name, { top: rows.start, left: columns.start, height, width });
      } else if (kind === "region") {
        found[name] = { shape: [4], data: Float32Array.from(regionOf(tile)) };
      } else {
        found[name] = STYLES.has(kind) ? inputs[name] : statistics.get(name);
      }
      if (!found[name]) {
        throw new Error(`${cell.subject.path} takes ${name}, which nothing gives`);
      }
    }
    return found;
  }

  /** Remove maps that no later pass reads, but those of the features. */
  async #dropUnread(number, { store, names }) {
    const later = this.#cells.slice(number + 1).flatMap(({ inputs }) => inputs.map(({ name }) => name));
    const needless = store.names.filter((name) => !later.includes(name) && !names.includes(name));
    await Promise.all(needless.map((name) => store.remove(name)));
  }
}

function checkFinite({ data }, { subject }) {
  if (!data.every(Number.isFinite)) {
    throw new Error(`${subject.path} computes values that are not finite`);
  }
}
