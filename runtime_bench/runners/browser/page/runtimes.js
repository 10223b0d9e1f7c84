/** Runtimes of the page, loaded on demand: onnxruntime-web for .onnx, LiteRT.js for .tflite. */

import { channelsFirst, channelsLast } from "./tensors.js";

const ONNX = new URL("../packages/onnxruntime-web/dist/", import.meta.url).href;
const LITERT = new URL("../packages/@litertjs/core/wasm/", import.meta.url).href;

/** Return an error for a file that cannot run here through no fault of its own. */
function unavailable(message) {
  return Object.assign(new Error(message), { unavailable: true });
}

/**
 * Opens files. The threads of a WebAssembly runtime are fixed when the page loads.
 *
 * A session has `feed(inputs)`, `invoke()`, `fetch()`, `close()` and `effective`; tensors go in and
 * come out as {shape, data}, images [1, 3, H, W], as in a desktop runner.
 */
export class Runtimes {
  /**
   * @param {"wasm" | "webgpu"} backend
   * @param {number} threads Threads of WebAssembly; a page that is not isolated has one.
   * @param {Record<string, string>} versions Versions of the packages.
   */
  constructor(backend, threads, versions) {
    this.backend = backend;
    this.threads = globalThis.crossOriginIsolated ? threads : 1;
    this.versions = versions;
    this.loaded = new Map();
    this.adapter = null;
  }

  /** Return a session on the bytes of a file, whose runtime has been started. */
  async open(cell, bytes) {
    const start = await this.start(cell);
    return cell.subject.target === "onnx"
      ? openOnnx(start, bytes, this)
      : openLitert(start, bytes, this);
  }

  /** Load the runtime of a cell's file, once. */
  async start(cell) {
    const { target } = cell.subject;
    const odd = [...cell.inputs, ...cell.outputs].find(({ dtype }) => dtype !== "float32");
    if (odd) {
      throw unavailable(`${odd.name} is ${odd.dtype}: files for browsers need float32 inputs and outputs`);
    }
    if (this.backend === "webgpu") {
      this.adapter ??= await adapterName();
    }
    if (!this.loaded.has(target)) {
      this.loaded.set(target, target === "onnx" ? startOnnx(this) : startLitert(this));
    }
    return this.loaded.get(target);
  }
}

/** Return the name of the GPU, or of the software renderer in its place. */
async function adapterName() {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) {
    throw unavailable("this page has no WebGPU: it needs https or localhost, and a browser with it");
  }
  const { vendor, architecture } = adapter.info;
  return [vendor, architecture].filter(Boolean).join(" ") || "unnamed";
}

async function startOnnx({ backend, threads }) {
  const ort = await import(`${ONNX}${backend === "webgpu" ? "ort.webgpu" : "ort.wasm"}.min.mjs`);
  ort.env.wasm.wasmPaths = ONNX;
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = "error";
  return ort;
}

async function openOnnx(ort, bytes, { backend, versions, adapter }) {
  const session = await ort.InferenceSession.create(bytes, { executionProviders: [backend] });
  let fed = {};
  let results = {};
  return {
    feed(inputs) {
      fed = Object.fromEntries(
        session.inputNames.map((name) => [
          name,
          new ort.Tensor("float32", inputs[name].data, inputs[name].shape),
        ]),
      );
    },
    async invoke() {
      results = await session.run(fed);
    },
    fetch: () =>
      Object.fromEntries(
        Object.entries(results).map(([name, { dims, data }]) => [name, { shape: [...dims], data }]),
      ),
    close: () => void session.release(),
    // All builds of the runtime need SIMD, and the WebGPU build has no threads.
    effective: effectiveOf({
      runtime: `onnxruntime-web ${versions["onnxruntime-web"]}`,
      backend,
      threads: ort.env.wasm.numThreads,
      simd: "true",
      adapter,
    }),
  };
}

async function startLitert({ backend, threads }) {
  const litert = await import("@litertjs/core");
  const relaxed = await litert.supportsFeature("relaxedSimd");
  // The build with threads needs relaxed SIMD.
  const threaded = backend === "wasm" && threads > 1 && relaxed;
  await litert.loadLiteRt(LITERT, { threads: threaded });
  return { ...litert, simd: relaxed ? "relaxed" : "true", threads: threaded ? threads : 1 };
}

async function openLitert(litert, bytes, { backend, versions, adapter }) {
  const { simd, threads } = litert;
  const model = await litert.loadAndCompile(new Uint8Array(bytes), {
    accelerator: backend,
    cpuOptions: { numThreads: threads },
  });
  // Browsers may run a part of the file, or all of it, on the processor.
  if (model.options.accelerator !== backend || (backend === "webgpu" && !model.isFullyAccelerated)) {
    model.delete();
    throw unavailable("LiteRT.js cannot run the whole file on WebGPU");
  }
  let fed = [];
  let results = [];
  const drop = (tensors) => tensors.forEach((tensor) => tensor.delete());
  return {
    feed(inputs) {
      drop(fed);
      fed = model.getInputDetails().map(({ name }) => {
        const { shape, data } = channelsLast(inputs[name]);
        return new litert.Tensor(data, shape);
      });
    },
    async invoke() {
      drop(results);
      const made = await model.run(fed);
      // Work on the GPU is finished when its result can be read.
      results = await Promise.all(made.map((tensor) => (backend === "webgpu" ? tensor.moveTo("wasm") : tensor)));
    },
    fetch: () =>
      Object.fromEntries(
        model.getOutputDetails().map(({ name, shape }, index) => [
          name,
          channelsFirst({ shape: [...shape], data: results[index].toTypedArray() }),
        ]),
      ),
    close() {
      drop([...fed, ...results]);
      model.delete();
    },
    effective: effectiveOf({
      runtime: `@litertjs/core ${versions["@litertjs/core"]}`,
      backend,
      threads,
      simd,
      adapter,
    }),
  };
}

function effectiveOf({ threads, adapter, ...settings }) {
  return {
    ...settings,
    threads: String(threads),
    cross_origin_isolated: String(Boolean(globalThis.crossOriginIsolated)),
    ...(adapter ? { adapter } : {}),
  };
}
