/** Worker that keeps feature maps in files of the browser's private file system. */

import { readWindow, writeTile } from "./maprows.js";

const PREFIX = "maps-";
const maps = new Map();
let folder = null;
let name = "";

/** Make a folder, and remove those of pages that ended; files of others are locked. */
async function open() {
  const root = await navigator.storage.getDirectory();
  for await (const key of root.keys()) {
    if (key.startsWith(PREFIX)) {
      await root.removeEntry(key, { recursive: true }).catch(() => undefined);
    }
  }
  name = `${PREFIX}${crypto.randomUUID()}`;
  folder = await root.getDirectoryHandle(name, { create: true });
  // A file that stays open keeps the folder from being removed by another page.
  const mark = await folder.getFileHandle("open", { create: true });
  maps.set("", { handle: await mark.createSyncAccessHandle() });
}

async function add({ map }) {
  const file = await folder.getFileHandle(map.name, { create: true });
  const handle = await file.createSyncAccessHandle();
  handle.truncate(4 * map.channels * map.height * map.width);
  maps.set(map.name, { map, handle });
}

function write({ of, tile, window }) {
  const { map, handle } = maps.get(of);
  writeTile(map, tile, window, (at, row) => void handle.write(row, { at: 4 * at }));
}

function read({ of, part }) {
  const { map, handle } = maps.get(of);
  return readWindow(map, part, (at, row) => void handle.read(row, { at: 4 * at }));
}

async function remove({ of }) {
  maps.get(of).handle.close();
  maps.delete(of);
  await folder.removeEntry(of);
}

async function close() {
  maps.forEach(({ handle }) => handle.close());
  maps.clear();
  const root = await navigator.storage.getDirectory();
  await root.removeEntry(name, { recursive: true });
}

const ACTIONS = { open, add, write, read, remove, close };

// One after the other: some actions wait.
let last = Promise.resolve();
self.addEventListener("message", ({ data: { id, action, ...given } }) => {
  last = last.then(async () => {
    try {
      const value = await ACTIONS[action](given);
      self.postMessage({ id, value }, value ? [value.data.buffer] : []);
    } catch (error) {
      self.postMessage({ id, error: String(error?.message ?? error) });
    }
  });
});
