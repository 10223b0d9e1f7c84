import assert from "node:assert/strict";
import { test } from "node:test";

import { psnr, parityOf } from "../../../runtime_bench/runners/browser/page/parity.js";
import { tensorsFrom } from "../../../runtime_bench/runners/browser/page/safetensors.js";
import {
  blended, channelsFirst, channelsLast, middleOf, mirroredInto, pixelsFromTensor, placeIn,
  tensorFromPixels,
} from "../../../runtime_bench/runners/browser/page/tensors.js";

function safetensors(header, elements, cut = 0) {
  // An odd header puts the elements at an address that is no multiple of four.
  const text = new TextEncoder().encode(JSON.stringify(header));
  const file = new Uint8Array(8 + text.length + 4 * elements.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  file.set(new Uint8Array(new Float32Array(elements).buffer), 8 + text.length);
  return file.buffer.slice(0, file.length - cut);
}

const HEADER = {
  __metadata__: { a: "bc" },
  content: { dtype: "F32", shape: [1, 2], data_offsets: [0, 8] },
  image: { dtype: "F32", shape: [1], data_offsets: [8, 12] },
};

test("a safetensors file gives its tensors by name, wherever its elements begin", () => {
  for (const pad of ["", "x", "xx", "xxx"]) {
    const header = { ...HEADER, __metadata__: { a: pad } };
    const tensors = tensorsFrom(safetensors(header, [0.5, -1, 3]));
    assert.deepEqual([...tensors.keys()], ["content", "image"]);
    assert.deepEqual(tensors.get("content"), { shape: [1, 2], data: new Float32Array([0.5, -1]) });
    assert.deepEqual(tensors.get("image").data, new Float32Array([3]));
  }
});

test("a damaged safetensors file is refused", () => {
  assert.throws(() => tensorsFrom(new ArrayBuffer(3)), /not a safetensors file: 3 bytes/);
  assert.throws(() => tensorsFrom(safetensors(HEADER, [0.5, -1, 3], 4)), /is cut short/);
  assert.throws(() => tensorsFrom(safetensors(HEADER, [], 20)), /header is longer/);
  const half = { content: { dtype: "F16", shape: [2], data_offsets: [0, 4] } };
  assert.throws(() => tensorsFrom(safetensors(half, [1])), /content is F16, expected F32/);
  const wrong = { content: { dtype: "F32", shape: [3], data_offsets: [0, 8] } };
  assert.throws(() => tensorsFrom(safetensors(wrong, [1, 2])), /8 bytes for 3 elements/);
});

test("pixels become planes in 0..1 and come back", () => {
  const rgba = new Uint8ClampedArray([255, 0, 51, 255, 0, 102, 204, 255]);
  const tensor = tensorFromPixels(rgba, 1, 2);
  assert.deepEqual(tensor.shape, [1, 3, 1, 2]);
  assert.deepEqual(tensor.data, new Float32Array([1, 0, 0, 0.4, 0.2, 0.8]));
  assert.deepEqual(pixelsFromTensor(tensor), rgba);
  const outside = { shape: [1, 3, 1, 1], data: new Float32Array([-0.2, 1.7, 0.5]) };
  assert.deepEqual([...pixelsFromTensor(outside)], [0, 255, 128, 255]);
});

test("channels move last and first again; codes stay as they are", () => {
  const first = { shape: [1, 3, 2, 1], data: new Float32Array([1, 2, 3, 4, 5, 6]) };
  const last = channelsLast(first);
  assert.deepEqual(last, { shape: [1, 2, 1, 3], data: new Float32Array([1, 3, 5, 2, 4, 6]) });
  assert.deepEqual(channelsFirst(last), first);
  const code = { shape: [1, 4], data: new Float32Array(4) };
  assert.equal(channelsLast(code).data, code.data);
  assert.equal(channelsFirst(code).data, code.data);
});

test("a picture lies in the middle of a frame, its edges mirrored around it", () => {
  assert.deepEqual(placeIn({ height: 10, width: 40 }, { height: 8, width: 8 }), {
    top: 3, left: 0, height: 2, width: 8,
  });
  const inner = { shape: [1, 3, 1, 2], data: new Float32Array([1, 2, 3, 4, 5, 6]) };
  const place = { top: 1, left: 1, height: 1, width: 2 };
  const frame = mirroredInto(inner, place, { height: 3, width: 5 });
  assert.deepEqual(frame.shape, [1, 3, 3, 5]);
  const row = [1, 1, 2, 2, 1];
  assert.deepEqual([...frame.data.slice(0, 15)], [...row, ...row, ...row]);
  assert.deepEqual([...frame.data.slice(30, 35)], [5, 5, 6, 6, 5]);
});

test("the middle of a picture has the proportions of the frame", () => {
  const middle = middleOf({ height: 100, width: 300 }, { height: 64, width: 96 });
  assert.deepEqual(middle, { top: 0, left: 75, height: 100, width: 150 });
});

test("strength blends from the first to the second", () => {
  const black = { shape: [1], data: new Float32Array([0]) };
  const white = { shape: [1], data: new Float32Array([1]) };
  assert.equal(blended(black, white, 0.25).data[0], 0.25);
});

test("the signal-to-noise ratio is that of the desktop", () => {
  const reference = new Float32Array([0, 0.5, 1, 0.25]);
  const output = reference.map((value) => value + 0.01);
  assert.equal(psnr(output, reference, 1).measuredDb, 40);
  // Twice the peak is 6.02 dB more.
  assert.equal(psnr(output, reference, 2).measuredDb, 46.02);
  const loud = new Float32Array([0, -4, 1, 2]);
  assert.equal(psnr(loud.map((value) => value + 0.04), loud, null).measuredDb, 40);
  assert.equal(psnr(reference, reference, 1).measuredDb, 200);
  assert.deepEqual(psnr(new Float32Array([NaN, 0, 0, 0]), reference, 1).measuredDb, 0);
  assert.throws(() => psnr(output.slice(1), reference, 1), /gave 3 values, expected 4/);
});

test("the parity of a cell is what the report asks for", () => {
  const cell = { outputs: [{ name: "image", kind: "image" }], allowed_db: 30 };
  const expected = new Map([["image", { data: new Float32Array([0.5, 0.5]) }]]);
  const outputs = { image: { data: new Float32Array([0.501, 0.5]) } };
  const { max_abs_error: largest, ...parity } = parityOf(cell, outputs, expected);
  assert.deepEqual(parity, {
    runner: "browser", metric: "psnr", measured_db: 63.01, allowed_db: 30, probes: 1,
  });
  assert.equal(largest, 0.001);
  assert.throws(() => parityOf(cell, {}, expected), /no tensor image in the file's outputs/);
});

test("of several outputs the worst counts", () => {
  const cell = {
    outputs: [{ name: "loss", kind: "loss" }, { name: "gradient", kind: "gradient" }], allowed_db: 60,
  };
  const expected = new Map([
    ["loss", { data: new Float32Array([100]) }],
    ["gradient", { data: new Float32Array([1, -2, 0]) }],
  ]);
  const outputs = { loss: expected.get("loss"), gradient: { data: new Float32Array([1, -2, 0.02]) } };
  const { measured_db: decibels, max_abs_error: largest } = parityOf(cell, outputs, expected);
  // 10·log10(2² · 3 / 0.02²)
  assert.equal(decibels, 44.77);
  assert.equal(largest, 0.02);
  assert.throws(() => parityOf(cell, { loss: outputs.loss }, expected), /no tensor gradient/);
});
