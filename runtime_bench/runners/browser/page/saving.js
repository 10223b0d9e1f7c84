/** Saving and sharing of the painting. */

import { find, showTrouble } from "./host.js";

const TYPE = "image/png";

/** Make the buttons work; sharing is offered where the browser shares files. */
export function startSaving(nameOf) {
  find("save").addEventListener("click", () => save(nameOf()).catch(showTrouble));
  find("share").hidden = !canShare();
  find("share").addEventListener("click", () => share(nameOf()).catch(showTrouble));
}

function canShare() {
  const probe = new File([], "painting.png", { type: TYPE });
  return Boolean(navigator.canShare?.({ files: [probe] }));
}

async function painting() {
  const blob = await new Promise((resolve) => find("painted").toBlob(resolve, TYPE));
  if (!blob) {
    throw new Error("the painting is too large for this browser to store as a PNG");
  }
  return blob;
}

async function save(name) {
  const href = URL.createObjectURL(await painting());
  Object.assign(document.createElement("a"), { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}

async function share(name) {
  const file = new File([await painting()], name, { type: TYPE });
  try {
    await navigator.share({ files: [file], title: "A painting by styleexport" });
  } catch (error) {
    // The user may close the dialog.
    if (error.name !== "AbortError") {
      throw error;
    }
  }
}
