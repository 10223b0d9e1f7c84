/** Stores of the feature maps of a picture: files of the browser, or memory where it has none. */

import { readWindow, writeTile } from "./maprows.js";

// Of memory: pages that take more are ended by some browsers.
const MEMORY_BYTES = 1e9;

/**
 * Return a store with room for the maps of a picture.
 *
 * @param {number} bytes Bytes that they take.
 * @param {string} picture Size of the picture, for the message.
 * @throws {Error} There is no room.
 */
export async function openStore(bytes, picture) {
  const files = await FileMaps.open();
  const free = files ? await freeBytes() : MEMORY_BYTES;
  if (bytes > free) {
    await files?.close();
    throw new Error(
      `feature maps of ${picture} pixels take ${gigabytes(bytes)}, and this page may store ` +
      `${gigabytes(free)}: make room on the disk, or paint a smaller photo`,
    );
  }
  return files ?? new MemoryMaps();
}

function gigabytes(bytes) {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}

async function freeBytes() {
  const { quota = 0, usage = 0 } = await navigator.storage.estimate();
  return quota - usage;
}

/** Maps in memory. */
export class MemoryMaps {
  #maps = new Map();

  /** Names of the maps. */
  get names() {
    return [...this.#maps.keys()];
  }

  /** Make room for a map: {name, channels, height, width}. */
  async add(map) {
    const values = new Float32Array(map.channels * map.height * map.width);
    this.#maps.set(map.name, { map, values });
  }

  /** Write a tile's part of the map of its window. */
  async write(name, tile, window) {
    const { map, values } = this.#maps.get(name);
    writeTile(map, tile, window, (at, row) => values.set(row, at));
  }

  /** Return a window. */
  async window(name, part) {
    const { map, values } = this.#maps.get(name);
    return readWindow(map, part, (at, row) => row.set(values.subarray(at, at + row.length)));
  }

  /** Remove a map. */
  async remove(name) {
    this.#maps.delete(name);
  }

  /** Remove all maps. */
  async close() {
    this.#maps.clear();
  }
}

/** Maps in files, which a worker reads and writes. */
class FileMaps {
  #worker;
  #names = new Set();
  #waiting = new Map();
  #number = 0;

  /** Return a store; null where the browser has no files for pages. */
  static async open() {
    if (!globalThis.Worker || !globalThis.navigator?.storage?.getDirectory) {
      return null;
    }
    const maps = new FileMaps();
    try {
      await maps.#ask("open");
      return maps;
    } catch {
      maps.#worker.terminate();
      return null;
    }
  }

  constructor() {
    this.#worker = new Worker(new URL("./mapworker.js", import.meta.url), { type: "module" });
    this.#worker.addEventListener("message", ({ data: { id, value, error } }) => {
      const { resolve, reject } = this.#waiting.get(id);
      this.#waiting.delete(id);
      (error ? reject : resolve)(error ? new Error(`a feature map cannot be stored: ${error}`) : value);
    });
    this.#worker.addEventListener("error", () => {
      this.#waiting.forEach(({ reject }) => reject(new Error("the page's store of maps failed")));
      this.#waiting.clear();
    });
  }

  get names() {
    return [...this.#names];
  }

  async add(map) {
    await this.#ask("add", { map });
    this.#names.add(map.name);
  }

  async write(of, tile, window) {
    await this.#ask("write", { of, tile, window });
  }

  async window(of, part) {
    return this.#ask("read", { of, part });
  }

  async remove(of) {
    this.#names.delete(of);
    await this.#ask("remove", { of });
  }

  async close() {
    this.#names.clear();
    await this.#ask("close").catch(() => undefined);
    this.#worker.terminate();
  }

  #ask(action, given = {}) {
    this.#number += 1;
    const id = this.#number;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, action, ...given });
    });
  }
}
