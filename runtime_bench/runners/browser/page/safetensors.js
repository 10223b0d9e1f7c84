/** Tensors from a .safetensors file: what probes and packs of styles are kept in. */

/**
 * Return name → {shape, data}, float32.
 *
 * The file is eight bytes of header length (little-endian), a JSON header, and the elements:
 * https://github.com/huggingface/safetensors#format.
 *
 * @param {ArrayBuffer} buffer The whole file.
 * @returns {Map<string, {shape: number[], data: Float32Array}>}
 * @throws {Error} The file is cut short, or holds other elements than float32.
 */
export function tensorsFrom(buffer) {
  const header = headerOf(buffer);
  const begin = 8 + header.length;
  const tensors = new Map();
  for (const [name, fact] of Object.entries(header.json)) {
    if (name !== "__metadata__") {
      tensors.set(name, tensorFrom(name, fact, buffer, begin));
    }
  }
  return tensors;
}

function headerOf(buffer) {
  if (buffer.byteLength < 8) {
    throw new Error(`not a safetensors file: ${buffer.byteLength} bytes`);
  }
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  if (length > buffer.byteLength - 8) {
    throw new Error("safetensors file is cut short: its header is longer than the file");
  }
  const text = new TextDecoder().decode(new Uint8Array(buffer, 8, length));
  return { length, json: JSON.parse(text) };
}

function tensorFrom(name, fact, buffer, begin) {
  const [from, to] = fact.data_offsets;
  const elements = fact.shape.reduce((product, side) => product * side, 1);
  if (fact.dtype !== "F32") {
    throw new Error(`tensor ${name} is ${fact.dtype}, expected F32`);
  }
  if (to - from !== 4 * elements || begin + to > buffer.byteLength) {
    throw new Error(`tensor ${name} is cut short: ${to - from} bytes for ${elements} elements`);
  }
  // A copy, because the elements need not begin at a multiple of four bytes.
  return { shape: fact.shape, data: new Float32Array(buffer.slice(begin + from, begin + to)) };
}
