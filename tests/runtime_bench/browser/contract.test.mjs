/** The fixtures of tests/contract, which Python, Kotlin and Swift read too. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { psnr } from "../../../runtime_bench/runners/browser/page/parity.js";
import {
  groupsOf, isStable, randomFrom, shuffled,
} from "../../../runtime_bench/runners/browser/page/protocol.js";
import { tensorsFrom } from "../../../runtime_bench/runners/browser/page/safetensors.js";
import {
  blendedCodes, blendingNote, checkCodes,
} from "../../../runtime_bench/runners/browser/page/codes.js";
import { thumbnailsOf } from "../../../runtime_bench/runners/browser/page/styles.js";
import {
  channelsFirst, channelsLast, mirroredInto, pixelsFromTensor, placeIn, tensorFromPixels,
} from "../../../runtime_bench/runners/browser/page/tensors.js";
import { misfit } from "./schema.mjs";

const ROOT = new URL("../../../", import.meta.url);
const CONTRACT = new URL("tests/contract/", ROOT);
const MAX_SIDE = 16_384;

const bytesOf = (path) => readFileSync(new URL(path, CONTRACT));
const jsonOf = (path) => JSON.parse(bytesOf(path).toString("utf8"));
const ARITHMETIC = jsonOf("arithmetic.json");

/** Return cases of one kind that the page has to do with; the others belong to the phones. */
function cases(kind, isOurs = () => true) {
  const found = ARITHMETIC[kind].filter(isOurs);
  assert.ok(found.length > 0, kind);
  return found;
}

function near(found, expected, message) {
  assert.equal(found.length, expected.length, message);
  expected.forEach((value, index) => {
    const most = 1e-6 * Math.max(1, Math.abs(value));
    assert.ok(Math.abs(found[index] - value) <= most, `${message}[${index}]: ${found[index]}, ${value}`);
  });
}

test("every file is the one that is listed, and none is not", () => {
  const listed = jsonOf("index.json");
  assert.ok(listed.length > 50);
  for (const { file, sha256 } of listed) {
    assert.equal(createHash("sha256").update(bytesOf(file)).digest("hex"), sha256, file);
  }
  const there = readdirSync(CONTRACT, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !/\.(md|py|pyc)$/.test(entry.name))
    .map((entry) => `${entry.parentPath ?? entry.path}/${entry.name}`.split("/contract/").pop())
    .map((path) => path.replace(/^\/+/, ""));
  assert.deepEqual(there.sort(), [...listed.map(({ file }) => file), "index.json"].sort());
});

/** What the schemas cannot tell, as the README of the fixtures lists it. */
const RULES = {
  manifests: ({ files, styles, network }) => [
    ...misfitOfCodes(files, network.code_layout),
    ...files.flatMap(({ path }, index) => outside(path, `$.files[${index}].path`)),
    ...styles.flatMap(({ thumbnails = [] }, pack) => thumbnails.flatMap(({ path }, index) =>
      outside(path, `$.styles[${pack}].thumbnails[${index}].path`))),
  ],
  jobs: ({ cells }) => cells.flatMap(({ subject, probe }, index) => [
    ...outside(probe, `$.cells[${index}].probe`),
    ...outside(subject.path, `$.cells[${index}].subject.path`),
  ]),
  reports: ({ cells }) => cells.flatMap(({ status, rounds_ns: rounds = [], size }, index) => [
    ...(Math.max(size.height, size.width) > MAX_SIDE ? [`$.cells[${index}].size`] : []),
    ...(status === "measured" && !rounds.flat().length ? [`$.cells[${index}]`] : []),
  ]),
};

/** Return the place at fault in the layout of style codes. */
function misfitOfCodes(files, layout) {
  if (!layout) {
    return [];
  }
  const { parts, blending, reason = "" } = layout;
  const lengths = parts.map(({ shape }) => shape.reduce((product, side) => product * side, 1));
  const length = lengths.reduce((sum, one) => sum + one, 0);
  const isNamedTwice = new Set(parts.map(({ name }) => name)).size < parts.length;
  if (isNamedTwice || length > 3 * MAX_SIDE ** 2 || (blending !== "exact" && !reason)) {
    return ["$.network.code_layout"];
  }
  const codes = files.flatMap(({ inputs, outputs }) => [...inputs, ...outputs])
    .filter(({ kind }) => kind === "style_code");
  return codes.every(({ shape }) => shape.at(-1) === length) ? [] : ["$"];
}

function outside(path, where) {
  return path.startsWith("/") || path.split("/").includes("..") ? [where] : [];
}

/** Return the place at fault in a document, null where it is good. */
function fault(text, schema, rule) {
  let document;
  try {
    document = JSON.parse(text);
  } catch {
    return "$";
  }
  const version = document.schema_version;
  const [known] = schema.$defs[schema.$ref.split("/").at(-1)].properties.schema_version.enum;
  if (version !== undefined && version !== known) {
    return "$.schema_version";
  }
  return misfit(document, schema) ?? rule(document)[0] ?? null;
}

for (const [folder, name] of [["manifests", "manifest"], ["reports", "latency"], ["jobs", "job"]]) {
  const schema = JSON.parse(readFileSync(new URL(`docs/${name}.schema.json`, ROOT), "utf8"));
  for (const { file, valid, where } of jsonOf(`${folder}/index.json`)) {
    test(`${folder}: ${file}`, () => {
      const found = fault(bytesOf(`${folder}/${file}`).toString("utf8"), schema, RULES[folder]);
      assert.equal(found, valid ? null : where);
    });
  }
}

test("manifests hold what the index says", () => {
  for (const item of jsonOf("manifests/index.json")) {
    const { file, valid, files, probes, styles, thumbnails, network, expect } = item;
    const { code_layout: layout } = item;
    if (valid) {
      const manifest = jsonOf(`manifests/${file}`);
      assert.deepEqual(Object.fromEntries(thumbnailsOf(manifest.styles)), thumbnails);
      assert.equal(manifest.files.length, files);
      assert.equal(manifest.probes.length, probes);
      assert.deepEqual(manifest.styles.flatMap(({ names }) => names), styles);
      assert.equal(manifest.network.name, network);
      assert.deepEqual(manifest.network.code_layout ?? null, layout);
      for (const [path, value] of Object.entries(expect)) {
        const steps = path.slice(2).split(/[.[\]]+/).filter(Boolean);
        assert.equal(steps.reduce((held, step) => held[step], manifest), value, `${file} ${path}`);
      }
    }
  }
});

test("of two packs with a style of one name the last counts", () => {
  const pack = (names, ...thumbnails) => ({
    names, thumbnails: thumbnails.map((style) => ({ style, path: `${names.length}/${style}.jpg` })),
  });
  const found = thumbnailsOf([pack(["a", "b", "c"], "a", "b", "c"), pack(["a", "b"], "a")]);
  assert.deepEqual(Object.fromEntries(found), { a: "2/a.jpg", c: "3/c.jpg" });
});

for (const { file, valid, where, tensors } of jsonOf("probes/index.json")) {
  test(`probes: ${file}`, () => {
    const { buffer, byteOffset, byteLength } = bytesOf(`probes/${file}`);
    const whole = buffer.slice(byteOffset, byteOffset + byteLength);
    if (!valid) {
      assert.throws(() => tensorsFrom(whole), (error) => error.where === where);
      return;
    }
    const found = tensorsFrom(whole);
    assert.deepEqual([...found.keys()].sort(), tensors.map(({ name }) => name).sort());
    for (const { name, shape, values } of tensors) {
      assert.deepEqual(found.get(name).shape, shape);
      values.forEach(({ index, value }) => assert.equal(found.get(name).data[index], value));
    }
  });
}

// The page feeds runtimes with 0..1 in float32, and its own files take nothing else.
const isUnit = ({ pixel_range: [low, high] }) => low === 0 && high === 1;

test("bytes become floats", () => {
  for (const { name, width, height, rgb, layout, expected } of cases("pixels", isUnit)) {
    const rgba = Uint8ClampedArray.from({ length: 4 * width * height }, (_, index) =>
      index % 4 === 3 ? 255 : rgb[3 * Math.floor(index / 4) + (index % 4)],
    );
    const tensor = tensorFromPixels(rgba, height, width);
    near((layout === "NHWC" ? channelsLast(tensor) : tensor).data, expected, name);
  }
});

test("floats become bytes", () => {
  for (const { name, width, height, floats, layout, expected } of cases("floats", isUnit)) {
    const data = new Float32Array(floats);
    const tensor = layout === "NHWC"
      ? channelsFirst({ shape: [1, height, width, 3], data })
      : { shape: [1, 3, height, width], data };
    const found = pixelsFromTensor(tensor).filter((_, index) => index % 4 !== 3);
    assert.deepEqual([...found], expected, name);
  }
});

test("peak signal-to-noise ratio", () => {
  for (const { output, reference, peak, expected_db: expected } of cases("psnr")) {
    const given = new Float32Array(output.map((value) => value ?? NaN));
    assert.equal(psnr(given, new Float32Array(reference), peak).measuredDb, expected);
  }
});

test("when runs are stable", () => {
  for (const { samples, expected, ...rule } of cases("stable")) {
    assert.equal(isStable(samples, rule), expected, String(samples));
  }
});

test("orders of rounds", () => {
  for (const { seed, count, rounds, expected } of cases("shuffle")) {
    const random = randomFrom(seed);
    const items = Array.from({ length: count }, (_, index) => index);
    assert.deepEqual(Array.from({ length: rounds }, () => shuffled(items, random)), expected);
  }
});

test("groups that take turns", () => {
  for (const { sizes, expected } of cases("groups")) {
    const cells = sizes.map(([height, width], index) => ({ size: { height, width }, index }));
    assert.deepEqual(groupsOf(cells).map((group) => group.map(({ index }) => index)), expected);
  }
});

test("blends of style codes, refused where they mean nothing", () => {
  for (const { codes, weights, blending, expected, error } of cases("blend")) {
    const layout = { blending, reason: "the reason", parts: [] };
    const network = { name: "colour-transfer", code_layout: layout };
    const tensors = codes.map((code) => ({ shape: [1, code.length], data: new Float32Array(code) }));
    const blend = () => blendedCodes(tensors, weights, network);
    if (expected) {
      near(blend().data, expected, String(weights));
    } else {
      assert.throws(blend, { message: error });
    }
  }
  const two = [0.5, 1.5].map((value) => ({ shape: [1, 1], data: new Float32Array([value]) }));
  assert.equal(blendedCodes(two, [1, 1], { name: "older" }).data[0], 1);
});

test("whether codes blend is said with the reason", () => {
  const noteOf = (name) => blendingNote(jsonOf(`manifests/${name}.json`).network);
  assert.equal(noteOf("colour-transfer"), "");
  assert.equal(noteOf("code_parts"), "");
  assert.equal(noteOf("code_approximate"), "Codes blend approximately: nobody declared it");
  const reason = "each patch takes the nearest patch of one style";
  assert.equal(noteOf("code_unblendable"), `Codes cannot be blended: ${reason}`);
});

test("a pack of another network is refused", () => {
  const { files, network } = jsonOf("manifests/code_parts.json");
  const codes = (length) => new Map([["sea", { shape: [1, length] }]]);
  checkCodes(codes(6), "styles/a.safetensors", { cells: files, network });
  assert.throws(() => checkCodes(codes(2), "styles/a.safetensors", { cells: files, network }), {
    message: "styles/a.safetensors holds sea of shape [1,2], a code of another network: " +
      "colour-transfer takes [1,6]",
  });
});

test("places of a picture in a frame", () => {
  for (const { picture: [width, height], outer, expected } of cases("frame", (item) => item.outer)) {
    const place = placeIn({ height, width }, { height: outer[0], width: outer[1] });
    const { inner, top, left } = expected;
    assert.deepEqual(place, { top, left, height: inner[0], width: inner[1] });
  }
});

test("mirrored edges", () => {
  for (const { length, before, after, expected } of cases("mirror")) {
    const row = Float32Array.from({ length: 3 * length }, (_, index) => index % length);
    const frame = { height: 1, width: before + length + after };
    const place = { top: 0, left: before, height: 1, width: length };
    const { data } = mirroredInto({ shape: [1, 3, 1, length], data: row }, place, frame);
    assert.deepEqual([...data], [...expected, ...expected, ...expected]);
  }
});
