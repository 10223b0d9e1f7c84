/** Tiles and paintings of tests/contract: tiles.json, and the small network of tiled_network.py. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import {
  CUT, FLOOR, FramePainter, LONGEST_SECONDS, SmoothedStatistics,
} from "../../../runtime_bench/runners/browser/page/film.js";
import { MemoryMaps, openStore } from "../../../runtime_bench/runners/browser/page/maps.js";
import { tensorsFrom } from "../../../runtime_bench/runners/browser/page/safetensors.js";
import { TiledPainter, gathered, pictureOf } from "../../../runtime_bench/runners/browser/page/tiled.js";
import {
  MergedStatistic, innerTile, mirroredIndices, onGrid, placesIn, regionOf, sizeOfMap, spansOf,
  storedBytes, tilesOf,
} from "../../../runtime_bench/runners/browser/page/tiles.js";

const CONTRACT = new URL("../../contract/", import.meta.url);
const jsonOf = (path) => JSON.parse(readFileSync(new URL(path, CONTRACT), "utf8"));
const CASES = jsonOf("tiles.json");
const size = ([height, width]) => ({ height, width });
const sides = ({ height, width }) => [height, width];
const flat = ({ start, begin, end }) => [start, begin, end];
const marginsOf = ([top, bottom, left, right]) => ({ top, bottom, left, right });

for (const kind of Object.keys(CASES)) {
  test(`there are cases of ${kind}`, () => assert.ok(CASES[kind].length > 0));
}

test("sides on the grid", () => {
  for (const { picture, window, grid, expected } of CASES.on_grid) {
    assert.deepEqual(sides(onGrid(size(picture), { window: size(window), grid })), expected);
  }
});

test("spans of sides", () => {
  for (const { length, window, first, last, expected, error } of CASES.spans) {
    if (expected) {
      assert.deepEqual(spansOf(length, window, first, last).map(flat), expected);
    } else {
      assert.throws(() => spansOf(length, window, first, last), { message: error });
    }
  }
});

test("regions in windows", () => {
  for (const { sides: whole, window, margins, expected } of CASES.tiles) {
    const tiles = tilesOf(size(whole), { window: size(window) }, marginsOf(margins));
    const found = tiles.map((tile) => ({
      top: tile.rows.start, left: tile.columns.start, region: regionOf(tile),
    }));
    assert.deepEqual(found, expected);
  }
});

test("tiles of maps", () => {
  for (const { sides: whole, window, margins, expected, ...map } of CASES.maps) {
    const tiling = { window: size(window) };
    const tiles = tilesOf(size(whole), tiling, marginsOf(margins));
    const inner = tiles.map((tile) => innerTile(tile, size(whole), tiling, map));
    assert.deepEqual({
      sides: sides(sizeOfMap(size(whole), tiling, map)),
      rows: inner.map(({ rows }) => flat(rows)),
      columns: inner.map(({ columns }) => flat(columns)),
      places: tiles.map((tile) => placesIn(tile, size(whole), tiling, map)),
    }, expected);
  }
});

test("statistics merge", () => {
  for (const { name, counts, values, expected, ...fact } of CASES.merged) {
    const merged = new MergedStatistic(fact);
    counts.forEach((count, index) => merged.add(count, Float32Array.from(values[index])));
    assert.equal(merged.count, expected.count);
    for (const [found, wanted] of [
      [merged.values, expected.values], [merged.given().data, expected.given],
    ]) {
      assert.equal(found.length, wanted.length);
      wanted.forEach((value, index) => {
        const error = Math.abs(found[index] - value);
        assert.ok(error <= 1e-6 * Math.abs(value), `${name} ${index}: ${found[index]}, ${value}`);
      });
    }
  }
});

test("bytes of maps", () => {
  for (const { sides: whole, maps, reads, gives, kept, expected } of CASES.stored_bytes) {
    const tiling = { window: size([128, 128]), maps };
    assert.equal(storedBytes(size(whole), tiling, reads, gives, kept), expected);
  }
});

test("mirrored ranges", () => {
  for (const { length, begin, count, expected } of CASES.mirrored) {
    assert.deepEqual([...mirroredIndices(length, begin, count)], expected);
  }
});

// ---- the small network

const MANIFEST = jsonOf("manifests/tiling.json");
const PROBE_BYTES = readFileSync(new URL("probes/colour-transfer_render_50x61.safetensors", CONTRACT));
const { buffer, byteOffset, byteLength } = PROBE_BYTES;
const PROBE = Object.fromEntries(tensorsFrom(buffer.slice(byteOffset, byteOffset + byteLength)));
const [TILING] = MANIFEST.tilings;
const CELLS = MANIFEST.files.map(({ path, role, ...file }) => ({ ...file, subject: { path, role } }));

/** Return a map of a value for each channel, row and column. */
function made(height, width, value) {
  const plane = height * width;
  const data = Float32Array.from({ length: 3 * plane }, (_, index) => {
    const pixel = index % plane;
    return value(Math.floor(index / plane), Math.floor(pixel / width), pixel % width);
  });
  return { shape: [1, 3, height, width], data };
}

function at({ shape, data }, channel, row, column) {
  return data[(channel * shape[2] + row) * shape[3] + column];
}

function meanOf(count, value) {
  return Array.from({ length: count * count }, (_, index) =>
    value(Math.floor(index / count), index % count)).reduce((a, b) => a + b, 0) / count ** 2;
}

function doubled(map) {
  const [, , height, width] = map.shape;
  return made(2 * height, 2 * width, (channel, row, column) => at(map, channel, row >> 1, column >> 1));
}

/** Return the means of a tile's part of a map, by channel. */
function means(map, region, stride, value = (x) => x) {
  const [top, left, bottom, right] = [...region.data].map((side) => side / stride);
  return [0, 1, 2].map((channel) => {
    let sum = 0;
    for (let row = top; row < bottom; row += 1) {
      for (let column = left; column < right; column += 1) {
        sum += value(at(map, channel, row, column), channel);
      }
    }
    return sum / ((bottom - top) * (right - left));
  });
}

const PASSES = {
  features({ content, region }) {
    const [height, width] = [content.shape[2] / 4, content.shape[3] / 4];
    const pooled = made(height, width, (channel, row, column) =>
      meanOf(4, (y, x) => at(content, channel, 4 * row + y, 4 * column + x)));
    const inside = (place, length) => Math.min(Math.max(place, 0), length - 1);
    const map = made(height, width, (channel, row, column) => meanOf(3, (y, x) =>
      at(pooled, channel, inside(row + y - 1, height), inside(column + x - 1, width))));
    const mean = means(map, region, 4);
    const spread = means(map, region, 4, (value, channel) => (value - mean[channel]) ** 2);
    const statistic = { shape: [1, 6], data: Float32Array.from([...mean, ...spread]) };
    return { map_0: map, statistic_0: statistic };
  },
  normalized({ map_0: map, statistic_0: { data: moments }, style_code: code, strength, region }) {
    const [, , height, width] = map.shape;
    const mixed = made(height, width, (channel, row, column) => {
      const value = at(map, channel, row, column);
      const unit = (value - moments[channel]) / Math.sqrt(moments[3 + channel] + 1e-5);
      const styled = unit * code.data[3 + channel] + code.data[channel];
      return value + strength.data[0] * (styled - value);
    });
    const enlarged = doubled(mixed);
    const statistic = { shape: [1, 3], data: Float32Array.from(means(enlarged, region, 2)) };
    return { map_1: enlarged, statistic_1: statistic };
  },
  painted({ content, map_1: map, statistic_1: { data: mean } }) {
    const enlarged = doubled(map);
    const image = made(content.shape[2], content.shape[3], (channel, ...place) =>
      (at(content, channel, ...place) + at(enlarged, channel, ...place) - mean[channel] + 0.5) / 2);
    return { image };
  },
};
const NAMES = { map_0: "features", map_1: "normalized", image: "painted" };

/** Return a painter of the small network, the files that it opened, and its stores. */
function smallPainter(change = (outputs) => outputs) {
  const [opened, stores] = [[], []];
  const open = async (cell) => {
    opened.push(cell.subject.path);
    let fed;
    return {
      feed(inputs) {
        assert.deepEqual(Object.keys(inputs).sort(), cell.inputs.map(({ name }) => name).sort());
        cell.inputs.forEach(({ name, shape }) => assert.deepEqual(inputs[name].shape, shape));
        fed = inputs;
      },
      invoke: async () => undefined,
      fetch: () => change(PASSES[NAMES[cell.outputs[0].name]](fed)),
      close: () => undefined,
    };
  };
  const store = async () => {
    stores.push(new MemoryMaps());
    return stores.at(-1);
  };
  return { painter: new TiledPainter(TILING, CELLS, open, store), opened, stores };
}

function worst(found, expected) {
  assert.deepEqual(found.shape, expected.shape);
  return expected.data.reduce((most, value, index) => Math.max(most, Math.abs(found.data[index] - value)), 0);
}

const go = async () => true;

test("tiles paint what the network paints of the whole picture", async () => {
  const { painter, opened, stores } = smallPainter();
  assert.ok(worst(await painter.painting(PROBE), PROBE.image) < 1e-5);
  assert.deepEqual(opened, TILING.passes.map(({ path }) => path));
  assert.equal(painter.total({ height: 50, width: 61 }), 21);
  assert.deepEqual(stores[0].names, []);
});

test("another strength is rendered from the same features", async () => {
  const { painter, opened } = smallPainter();
  const seen = [];
  const report = async (progress) => seen.push(progress) > 0;
  const features = await painter.features(pictureOf(PROBE.content), report);
  const weak = { ...PROBE, strength: { shape: [1], data: Float32Array.of(0) } };
  const images = [];
  for (const [inputs, watch] of [[weak, report], [PROBE, go]]) {
    const image = made(50, 61, () => NaN);
    await painter.render(features, inputs, (top, left, { shape, data }) => {
      data.forEach((value, index) => {
        const plane = shape[2] * shape[3];
        const row = top + Math.floor((index % plane) / shape[3]);
        image.data[(Math.floor(index / plane) * 50 + row) * 61 + left + (index % shape[3])] = value;
      });
    }, watch);
    images.push(image);
  }
  assert.ok(worst(images[1], PROBE.image) < 1e-5);
  assert.ok(worst(images[0], PROBE.image) > 0.02);
  assert.deepEqual(seen, Array.from({ length: 21 }, (_, index) => ({ done: index + 1, total: 21 })));
  assert.equal(opened.length, 5);
});

test("what is cancelled leaves nothing, and kept features can be used again", async () => {
  for (const last of [1, 5, 9]) {
    const { painter, stores } = smallPainter();
    const stop = painter.features(pictureOf(PROBE.content), async ({ done }) => done < last);
    await assert.rejects(stop, (error) => error.cancelled);
    assert.deepEqual(stores[0].names, []);
  }
  const { painter, stores } = smallPainter();
  const features = await painter.features(pictureOf(PROBE.content), go);
  const stop = painter.render(features, PROBE, () => undefined, async ({ done }) => done < 14);
  await assert.rejects(stop, (error) => error.cancelled);
  assert.deepEqual(stores[0].names, ["map_0"]);
  await painter.render(features, PROBE, () => undefined, go);
});

test("pictures of every size", async () => {
  for (const [height, width] of [[1, 1], [3, 200], [24, 32], [25, 33]]) {
    const content = made(height, width, (channel, row, column) => ((row * 7 + column) % 11) / 10);
    const { shape } = await smallPainter().painter.painting({ ...PROBE, content });
    assert.deepEqual(shape, [1, 3, height, width]);
  }
});

test("what is not finite is no painting", async () => {
  const { painter } = smallPainter((outputs) => {
    outputs.map_1?.data.fill(NaN, 5, 6);
    return outputs;
  });
  await assert.rejects(painter.painting(PROBE), /_render-1_.* computes values that are not finite/);
});

test("a missing input or file is named", async () => {
  const { style_code: _, ...without } = PROBE;
  await assert.rejects(smallPainter().painter.painting(without), /takes style_code, which nothing gives/);
  assert.throws(() => new TiledPainter(TILING, [], go, go), /the manifest does not list .*features-0/);
});

test("without room nothing begins", async () => {
  await assert.rejects(openStore(2e9, "4032×3024"), /4032×3024 pixels take 2.0 GB, and this page may/);
  assert.ok((await openStore(1e6, "40×30")) instanceof MemoryMaps);
});

test("a part of an image is that of its rows and columns", () => {
  const image = made(2, 3, (channel, row, column) => 100 * channel + 10 * row + column);
  const part = gathered(image, [1, 1], [2, 0]);
  assert.deepEqual(part.shape, [1, 3, 2, 2]);
  assert.deepEqual([...part.data], [12, 10, 12, 10, 112, 110, 112, 110, 212, 210, 212, 210]);
});

// ---- frames over time

test("statistics are smoothed over time until a cut", () => {
  const film = jsonOf("film.json");
  assert.deepEqual([LONGEST_SECONDS, CUT, FLOOR], [film.longest_s, film.cut, film.floor]);
  for (const { name, stability, kinds, frames } of film.cases) {
    const smoothed = new SmoothedStatistics(kinds, stability);
    frames.forEach((frame, number) => {
      smoothed.frame(frame.seconds);
      frame.passes.forEach((pass, index) => {
        const found = smoothed.settle(pass);
        for (const [statistic, values] of Object.entries(frame.smoothed[index])) {
          values.forEach((value, place) => {
            const error = Math.abs(found[statistic][place] - value);
            const most = film.tolerance * Math.max(1, Math.abs(value));
            assert.ok(error <= most, `${name} ${number} ${statistic}: ${found[statistic]}`);
          });
        }
      });
      assert.equal(smoothed.isCut, frame.cut, `${name} ${number}`);
    });
  }
});

test("a scene is smoothed, and a cut begins anew", async () => {
  const open = async (cell) => {
    let fed;
    return {
      feed: (inputs) => void (fed = inputs),
      invoke: async () => undefined,
      fetch: () => PASSES[NAMES[cell.outputs[0].name]](fed),
      close: () => undefined,
    };
  };
  const frames = (stability) => FramePainter.open(TILING, CELLS, stability, open);
  const rows = Array.from({ length: 24 }, (_, row) => row);
  const window = gathered(PROBE.content, rows, Array.from({ length: 32 }, (_, column) => column));
  const brighter = { ...window, data: window.data.map((value) => value * 1.004) };
  const other = { ...window, data: window.data.slice().reverse().map((value) => value / 4) };
  const whole = await smallPainter().painter.painting({ ...PROBE, content: brighter });
  const own = await (await frames(0)).paint(brighter, PROBE, 0);
  assert.deepEqual(own, whole);
  const painter = await frames(1);
  await painter.paint(window, PROBE, 0);
  const smoothed = await painter.paint(brighter, PROBE, 0.04);
  assert.ok(worst(smoothed, own) > 0 && worst(smoothed, own) < 0.02);
  const cut = await painter.paint(other, PROBE, 0.08);
  assert.deepEqual(cut, await (await frames(0)).paint(other, PROBE, 0));
  painter.close();
});
