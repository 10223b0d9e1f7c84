/** Style codes: their shape, and blends where the network's codes can be blended. */

const NOTES = {
  exact: () => "",
  approximate: (reason) => `Codes blend approximately: ${reason}`,
  none: (reason) => `Codes cannot be blended: ${reason}`,
};

/** Return why codes of a network blend approximately or not at all; "" where exactly. */
export function blendingNote({ code_layout: layout }) {
  return layout ? NOTES[layout.blending](layout.reason ?? "") : "";
}

/** Return whether codes of a network can be blended; those of an older artifact can. */
export function canBlend({ code_layout: layout }) {
  return layout?.blending !== "none";
}

/**
 * Return the weighted mean of style codes [1, K].
 *
 * @param codes Tensors of one shape.
 * @param weights One a code, 0 or more; they need not sum to 1.
 * @param network Network of the codes, as the manifest has it.
 * @throws {Error} Codes of the network cannot be blended.
 */
export function blendedCodes(codes, weights, network) {
  if (weights.filter((weight) => weight > 0).length > 1 && !canBlend(network)) {
    const { name, code_layout: layout } = network;
    throw new Error(`style codes of ${name} cannot be blended: ${layout.reason}; use one style`);
  }
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const data = new Float32Array(codes[0].data.length);
  codes.forEach((code, number) => {
    const share = Math.fround(weights[number] / total);
    code.data.forEach((value, index) => {
      data[index] += value * share;
    });
  });
  return { shape: codes[0].shape, data };
}

/**
 * Check that packed codes are as long as those that a network's files take.
 *
 * @param codes Name -> tensor.
 * @param path Path of the pack, for the message.
 * @param job Job of the page.
 * @throws {Error} A code is of another network.
 */
export function checkCodes(codes, path, { cells, network }) {
  const expected = cells
    .flatMap(({ inputs, outputs }) => [...inputs, ...outputs])
    .find(({ kind }) => kind === "style_code")?.shape;
  for (const [name, { shape }] of codes) {
    if (expected && String(shape) !== String(expected)) {
      throw new Error(
        `${path} holds ${name} of shape [${shape}], a code of another network: ` +
        `${network.name} takes [${expected}]`,
      );
    }
  }
}
