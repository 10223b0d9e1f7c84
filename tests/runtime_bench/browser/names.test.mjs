import assert from "node:assert/strict";
import { test } from "node:test";

import { factsOf, fileName, plainNames, titled } from "../../../runtime_bench/runners/browser/page/names.js";

function cell(role, precision, target = "onnx", path = "a.onnx") {
  const subject = { role, precision, target, path, size_bytes: 1_090_000, parameters: 539_000 };
  return { subject, size: { height: 64, width: 96 } };
}

test("files have plain names, with the format where there are several", () => {
  const cells = [cell("transform", "fp32"), cell("encode", "int8")];
  assert.deepEqual(plainNames(cells), ["painting, 64×96, full precision", "style code, 64×96, 8-bit"]);
  assert.deepEqual(plainNames([cells[0]], false), ["64×96, full precision"]);
  const both = [cell("transform", "fp16"), cell("transform", "fp16", "tflite")];
  assert.deepEqual(plainNames(both, false), [
    "64×96, half precision, ONNX", "64×96, half precision, TFLite",
  ]);
});

test("two files of one name are told apart by their paths", () => {
  const twins = [cell("transform", "int8", "onnx", "a.onnx"), cell("stylize", "int8", "onnx", "b.onnx")];
  assert.deepEqual(plainNames(twins), ["painting, 64×96, 8-bit: a.onnx", "painting, 64×96, 8-bit: b.onnx"]);
});

test("a role, precision or format that is new is shown as it is", () => {
  assert.deepEqual(plainNames([cell("depth", "int4")]), ["depth, 64×96, int4"]);
});

test("the details of a file are in the terms of the manifest", () => {
  const { file, precision, download, weights } = factsOf(cell("transform", "int8"));
  assert.deepEqual([file, precision, download, weights], ["a.onnx", "int8", "1.09 MB", "0.54 million"]);
});

test("names of styles and of saved files are words", () => {
  assert.equal(titled("starry-night"), "Starry night");
  assert.equal(titled("my_own  picture"), "My own  picture");
  assert.equal(titled("-"), "-");
  assert.equal(fileName("IMG 20/11", "Starry night"), "IMG-20-11-Starry-night.png");
  assert.equal(fileName("Café", "夜"), "Café-夜.png");
  assert.equal(fileName("…", ""), "painting.png");
});
