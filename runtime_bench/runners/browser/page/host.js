/** Access of the page's modules to the document and the server. */

import { tensorsFrom } from "./safetensors.js";

/** Return an element of the page. */
export function find(id) {
  return document.getElementById(id);
}

/** Return the bytes of one of the server's files. */
export async function bytesOf(path) {
  const answer = await fetch(path);
  if (!answer.ok) {
    throw new Error(`${path}: the server answers ${answer.status}; is it still running?`);
  }
  return answer.arrayBuffer();
}

/** Return the tensors of one of the artifact's .safetensors files. */
export async function tensorsOf(path) {
  return tensorsFrom(await bytesOf(`artifact/${path}`));
}

/** Show an error at the top of the page. */
export function showTrouble(error) {
  find("trouble").textContent = error ? String(error.message ?? error) : "";
  find("trouble").hidden = !error;
}
