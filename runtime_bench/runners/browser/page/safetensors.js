/** Reader of .safetensors files, the format of probes and style packs. */

/** Error in a file; `where` is the tensor at fault, `$` the whole file. */
function damaged(where, message) {
  return Object.assign(new Error(message), { where });
}

/**
 * Return name → {shape, data}, float32.
 *
 * The file is eight bytes of header length (little-endian), a JSON header, and the elements in
 * sequence: https://github.com/huggingface/safetensors#format.
 *
 * @param {ArrayBuffer} buffer The whole file.
 * @returns {Map<string, {shape: number[], data: Float32Array}>}
 * @throws {Error} The file is cut short, damaged, or holds other elements than float32.
 */
export function tensorsFrom(buffer) {
  const { begin, facts } = headerOf(buffer);
  checkOrder(facts, buffer.byteLength - begin);
  return new Map(
    // A copy: the elements may start at any byte, not only at a multiple of four.
    facts.map(([name, { shape, data_offsets: [from, to] }]) => [
      name, { shape, data: new Float32Array(buffer.slice(begin + from, begin + to)) },
    ]),
  );
}

function headerOf(buffer) {
  if (buffer.byteLength < 8) {
    throw damaged("$", `not a safetensors file: ${buffer.byteLength} bytes`);
  }
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  if (length > buffer.byteLength - 8) {
    throw damaged("$", "safetensors file is cut short: its header is longer than the file");
  }
  const text = new TextDecoder().decode(new Uint8Array(buffer, 8, length));
  let header;
  try {
    header = JSON.parse(text);
  } catch {
    throw damaged("$", "the header of a safetensors file is no JSON");
  }
  const facts = Object.entries(header).filter(([name]) => name !== "__metadata__");
  facts.forEach(([name, fact]) => checkFact(name, fact));
  return { begin: 8 + length, facts };
}

function checkFact(name, { dtype, shape, data_offsets: [from, to] }) {
  if (dtype !== "F32") {
    throw damaged(name, `tensor ${name} is ${dtype}, expected F32`);
  }
  const elements = shape.reduce((product, side) => product * side, 1);
  if (to - from !== 4 * elements) {
    throw damaged(name, `tensor ${name} has ${to - from} bytes for ${elements} elements`);
  }
}

/** Refuse gaps, overlaps, and missing or surplus elements. */
function checkOrder(facts, length) {
  const offsets = ([, { data_offsets: [from, to] }]) => [from, to];
  let end = 0;
  const order = [...facts].sort((a, b) => offsets(a)[0] - offsets(b)[0] || offsets(a)[1] - offsets(b)[1]);
  for (const fact of order) {
    const [from, to] = offsets(fact);
    if (from !== end) {
      throw damaged(fact[0], `tensor ${fact[0]} does not begin where the last one ends`);
    }
    end = to;
  }
  if (end !== length) {
    const words = length < end ? "is cut short" : "is too long";
    throw damaged("$", `safetensors file ${words}: ${length} bytes of elements, expected ${end}`);
  }
}
