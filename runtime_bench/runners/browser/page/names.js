/** Plain names of files and styles, for people who did not export them. */

const PRECISIONS = {
  fp32: "full precision",
  fp16: "half precision",
  int8: "8-bit",
  "int8-weights": "8-bit weights",
  auto: "8-bit, mixed",
};
const ROLES = {
  stylize: "painting",
  transform: "painting",
  encode: "style code",
  content: "features of the photo",
  step: "one iteration",
};
const FORMATS = { onnx: "ONNX", tflite: "TFLite" };

/**
 * Return names of cells, one each: role, size and precision, and the format where there are several.
 *
 * @param cells Cells of the job.
 * @param {boolean} withRole Whether the names begin with what the file computes.
 */
export function plainNames(cells, withRole = true) {
  const several = new Set(cells.map(({ subject }) => subject.target)).size > 1;
  const names = cells.map(({ subject, size }) =>
    [
      ...(withRole ? [ROLES[subject.role] ?? subject.role] : []),
      `${size.height}×${size.width}`,
      PRECISIONS[subject.precision] ?? subject.precision,
      ...(several ? [FORMATS[subject.target] ?? subject.target] : []),
    ].join(", "));
  return names.map((name, index) =>
    names.indexOf(name) === names.lastIndexOf(name) ? name : `${name}: ${cells[index].subject.path}`);
}

/** Return the facts of a cell's file: name -> text. */
export function factsOf({ subject, size }) {
  return {
    file: subject.path,
    role: subject.role,
    pictures: `${size.height}×${size.width} pixels`,
    precision: subject.precision,
    format: subject.target,
    download: `${(subject.size_bytes / 1e6).toFixed(2)} MB`,
    weights: `${(subject.parameters / 1e6).toFixed(2)} million`,
  };
}

/** Return the name of a style or of a picture as a sentence begins: "starry-night" is "Starry night". */
export function titled(name) {
  const words = name.replace(/[-_]+/g, " ").trim();
  return words ? words[0].toUpperCase() + words.slice(1) : name;
}

/** Return a file name of some words without what file systems and shares refuse. */
export function fileName(...words) {
  const safe = words.map((word) => word.normalize().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, ""));
  return `${safe.filter(Boolean).join("-").slice(0, 80) || "painting"}.png`;
}
