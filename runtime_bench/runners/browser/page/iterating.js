/** Paintings by optimization on the page: iterations of a `step` file, the best one shown. */

import { find } from "./host.js";
import { minimized, noteOf } from "./optimizing.js";
import { show } from "./pictures.js";

/**
 * Paint by iterations, and show each one that is better than those before.
 *
 * @param {OpenFiles} files
 * @param cell The `step` file.
 * @param inputs Its inputs but the image.
 * @param start Content to start from, and `place`, where the photo lies in it.
 * @param rules `optimization` of the network.
 * @param {() => boolean} isWanted Whether to go on.
 */
export async function iterate(files, cell, inputs, { content, place }, rules, isWanted) {
  if (!rules) {
    throw new Error("the manifest does not say how step files are iterated: export it again");
  }
  const nameOf = (kind) => cell.outputs.find((fact) => fact.kind === kind).name;
  const [loss, gradient] = [nameOf("loss"), nameOf("gradient")];
  const evaluate = async (image) => {
    const outputs = await files.outputsOf(cell, { ...inputs, image });
    return { loss: outputs[loss].data[0], gradient: outputs[gradient].data };
  };
  let shown = Infinity;
  const report = async ({ iteration, iterations, bestLoss, best }) => {
    Object.assign(find("iteration"), { max: iterations, value: iteration });
    find("painted-caption").textContent = `the painting, iteration ${iteration} of ${iterations}`;
    if (bestLoss < shown) {
      shown = bestLoss;
      show("painted", best(), place);
    }
    // The page draws, and takes clicks.
    await new Promise((resolve) => setTimeout(resolve));
    return isWanted();
  };
  const iterations = Math.max(1, Number(find("iterations").value) || rules.iterations);
  find("stop").disabled = false;
  try {
    const result = await minimized(content, evaluate, { rules, iterations, report });
    find("painted-caption").textContent =
      `the painting, ${place.height}×${place.width}, ${noteOf(result)}`;
  } finally {
    find("stop").disabled = true;
  }
}
