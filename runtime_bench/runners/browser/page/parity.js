/** Parity of a file with its network, measured on the artifact's probes. */

// Reported for outputs that are equal to the last bit.
const EQUAL_DB = 200;

/**
 * Return {measuredDb, maxAbsError} of an output against the expected one.
 *
 * The peak signal-to-noise ratio is 10·log10(peak² / mean squared error), in dB; 0 for an output
 * with a non-finite number.
 *
 * @param {Float32Array} output
 * @param {Float32Array} reference Of the same length.
 * @param {number | null} peak The largest possible value; null takes the reference's largest.
 */
export function psnr(output, reference, peak) {
  if (output.length !== reference.length) {
    throw new Error(`the file gave ${output.length} values, expected ${reference.length}`);
  }
  let squares = 0;
  let maxAbsError = 0;
  let largest = 0;
  for (let index = 0; index < reference.length; index += 1) {
    const error = Math.abs(output[index] - reference[index]);
    squares += error * error;
    maxAbsError = Math.max(maxAbsError, Number.isFinite(error) ? error : 0);
    largest = Math.max(largest, Math.abs(reference[index]));
  }
  if (!Number.isFinite(squares)) {
    return { measuredDb: 0, maxAbsError };
  }
  const top = Math.max(peak ?? largest, 1e-12);
  const ratio = squares === 0 ? EQUAL_DB : 10 * Math.log10((top * top * output.length) / squares);
  return { measuredDb: Math.min(EQUAL_DB, Math.round(ratio * 100) / 100), maxAbsError };
}

/**
 * Return the parity of a cell for the report: the PSNR of its worst output, the largest error of any.
 *
 * @param cell Cell of the job: outputs and allowed_db.
 * @param outputs Name → tensor of the file's outputs.
 * @param expected Name → tensor of the probe.
 */
export function parityOf(cell, outputs, expected) {
  const all = cell.outputs.map(({ name, kind }) => {
    if (!outputs[name] || !expected.get(name)) {
      throw new Error(`no tensor ${name} in the ${outputs[name] ? "probe" : "file's outputs"}`);
    }
    return psnr(outputs[name].data, expected.get(name).data, kind === "image" ? 1 : null);
  });
  const largest = Math.max(...all.map(({ maxAbsError }) => maxAbsError));
  return {
    runner: "browser",
    metric: "psnr",
    measured_db: Math.min(...all.map(({ measuredDb }) => measuredDb)),
    allowed_db: cell.allowed_db,
    max_abs_error: Number(largest.toPrecision(3)),
    probes: 1,
  };
}
