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

/** Offer a style under its name, and a picture where there is one; the first is chosen. */
export function offerStyle(value, name, picture) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  Object.assign(input, { type: "radio", name: "style", value, checked: !chosenStyle() });
  const caption = document.createElement("span");
  caption.textContent = name;
  label.append(input, ...(picture ? [imageOf(name, picture, caption)] : []), caption);
  find("styles").append(label);
}

/** Return the picture of a style; while it is shown, screen readers read its name only once. */
function imageOf(name, picture, caption) {
  const image = Object.assign(new Image(128, 128), { alt: name, loading: "lazy" });
  caption.ariaHidden = "true";
  image.addEventListener("error", () => {
    image.remove();
    caption.ariaHidden = null;
  });
  image.src = picture;
  return image;
}
