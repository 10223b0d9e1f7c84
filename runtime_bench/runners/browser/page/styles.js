/** Choice of the style: radio buttons, each with a thumbnail where there is one. */

import { find } from "./host.js";

/** Return style -> path of its thumbnail below the artifact; of packs with one name, the last counts. */
export function thumbnailsOf(packs) {
  const paths = new Map();
  for (const { names, thumbnails = [] } of packs) {
    const own = new Map(thumbnails.map(({ style, path }) => [style, path]));
    for (const name of names) {
      paths.delete(name);
      if (own.has(name)) {
        paths.set(name, own.get(name));
      }
    }
  }
  return paths;
}

/** Return the value of the chosen style. */
export function chosenStyle() {
  return find("styles").querySelector(":checked")?.value;
}

/**
 * Offer a style under its name; the first is chosen.
 *
 * @param {string} value
 * @param {string} name
 * @param {string?} picture Address of its picture; "" is a place for one that is painted later.
 * @param {string?} hint Tooltip.
 */
export function offerStyle(value, name, picture, hint) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  Object.assign(input, { type: "radio", name: "style", value, checked: !chosenStyle() });
  const caption = document.createElement("span");
  caption.textContent = name;
  label.title = hint ?? "";
  label.append(input, ...(picture === undefined ? [] : [imageOf(picture)]), caption);
  find("styles").append(label);
}

/** Show a picture of a style that has just been painted. */
export function showThumbnail(value, blob) {
  const input = [...find("styles").querySelectorAll("input")].find((one) => one.value === value);
  const image = input?.parentElement.querySelector("img");
  if (image) {
    image.addEventListener("load", () => URL.revokeObjectURL(image.src), { once: true });
    image.src = URL.createObjectURL(blob);
  }
}

/** Remove the places of thumbnails that will not be painted. */
export function dropPlaceholders() {
  find("styles").querySelectorAll("img:not([src])").forEach((image) => image.remove());
}

/** Return the picture of a style; its name stands below it, so it says nothing to screen readers. */
function imageOf(picture) {
  const image = Object.assign(new Image(128, 128), { alt: "" });
  image.addEventListener("error", () => image.remove());
  if (picture) {
    image.src = picture;
  }
  return image;
}
