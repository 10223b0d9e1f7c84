/** Photo and painting over each other: the slider uncovers one or the other. */

import { find } from "./host.js";

/** Make the slider work. */
export function startComparing() {
  const move = () => find("compare").style.setProperty("--split", `${find("split").value}%`);
  find("split").addEventListener("input", move);
  move();
}

/** Give the frame the proportions of a picture. */
export function frameTo({ height, width }) {
  find("compare").style.setProperty("--height", height);
  find("compare").style.setProperty("--width", width);
}
