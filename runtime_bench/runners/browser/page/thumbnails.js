/** Thumbnails of styles that have none: the sample photo, painted while the page has time. */

import { showThumbnail } from "./styles.js";
import { pixelsFromTensor } from "./tensors.js";

const SIDE = 128;
// A larger file takes too long for a thumbnail.
const MOST_PIXELS = 512 * 512;

/** Whether a file is quick enough to paint thumbnails with. */
export function paintsThumbnails({ subject, size }) {
  return subject.role !== "step" && size.height * size.width <= MOST_PIXELS;
}

/** Show the middle of a painting as the thumbnail of a style. */
export async function keepThumbnail(value, image, { top, left, height, width }) {
  const [, , rows, columns] = image.shape;
  const whole = new OffscreenCanvas(columns, rows);
  whole.getContext("2d").putImageData(new ImageData(pixelsFromTensor(image), columns, rows), 0, 0);
  const small = new OffscreenCanvas(SIDE, SIDE);
  const context = small.getContext("2d");
  context.imageSmoothingQuality = "high";
  const side = Math.min(height, width);
  const [x, y] = [left + (width - side) / 2, top + (height - side) / 2];
  context.drawImage(whole, x, y, side, side, 0, 0, SIDE, SIDE);
  showThumbnail(value, await small.convertToBlob({ type: "image/jpeg", quality: 0.85 }));
}
