/** Pictures of the page: files that are chosen, their pixels, and canvases. */

import { bytesOf, find, showTrouble } from "./host.js";
import { pixelsFromTensor } from "./tensors.js";

/** Call a function with the picture that is chosen in a file input, and with its name. */
export function onPicture(id, take) {
  find(id).addEventListener("change", async () => {
    const [file] = find(id).files;
    if (file) {
      await createImageBitmap(file)
        .then((picture) => take(picture, file.name.replace(/\.\w+$/, "")))
        .catch(() => showTrouble(`${file.name} is not a picture that this browser can read`));
    }
  });
}

/** Return one of the server's pictures. */
export async function pictureAt(path) {
  return createImageBitmap(new Blob([await bytesOf(path)]));
}

/** Return the size of a picture or a video. */
export function sizeOf(source) {
  return { height: source.videoHeight ?? source.height, width: source.videoWidth ?? source.width };
}

/** Return the RGBA bytes of a part of a picture (null: all of it), scaled to a size. */
export function pixels(source, part, { height, width }) {
  const from = part ?? { top: 0, left: 0, ...sizeOf(source) };
  const context = new OffscreenCanvas(width, height).getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(source, from.left, from.top, from.width, from.height, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}

/** Draw a picture on a canvas of the page, at its own size or at most at a large one. */
export function showPhoto(id, source, most = 2048) {
  const { height, width } = sizeOf(source);
  const scale = Math.min(1, most / Math.max(height, width));
  const canvas = find(id);
  Object.assign(canvas, { width: Math.round(scale * width), height: Math.round(scale * height) });
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
}

/** Draw a part of a tensor on a canvas of the page. */
export function show(id, image, place) {
  const canvas = find(id);
  Object.assign(canvas, { width: place.width, height: place.height });
  const [, , height, width] = image.shape;
  const whole = new ImageData(pixelsFromTensor(image), width, height);
  canvas.getContext("2d").putImageData(whole, -place.left, -place.top);
}
