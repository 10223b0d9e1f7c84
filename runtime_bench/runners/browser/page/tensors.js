/** Conversion of pictures: float32 tensors [1, 3, H, W] in 0..1 from and to RGBA bytes. */

import { mirroredIndices } from "./tiles.js";

/**
 * Return the tensor of a picture.
 *
 * @param {Uint8ClampedArray} rgba Row by row, four bytes a pixel; the last is left out.
 * @param {number} height
 * @param {number} width
 */
export function tensorFromPixels(rgba, height, width) {
  const plane = height * width;
  const data = new Float32Array(3 * plane);
  for (let pixel = 0; pixel < plane; pixel += 1) {
    for (let channel = 0; channel < 3; channel += 1) {
      data[channel * plane + pixel] = rgba[4 * pixel + channel] / 255;
    }
  }
  return { shape: [1, 3, height, width], data };
}

/** Return the RGBA bytes of a tensor, opaque; clipped to 0..1, rounded half to even by the array. */
export function pixelsFromTensor({ shape, data }) {
  const plane = shape[2] * shape[3];
  const rgba = new Uint8ClampedArray(4 * plane).fill(255);
  for (let pixel = 0; pixel < plane; pixel += 1) {
    for (let channel = 0; channel < 3; channel += 1) {
      rgba[4 * pixel + channel] = Math.fround(data[channel * plane + pixel] * 255);
    }
  }
  return rgba;
}

/** Return an image tensor with its channels last, [1, H, W, 3]; others as they are. */
export function channelsLast({ shape, data }) {
  if (shape.length !== 4) {
    return { shape, data };
  }
  const [batch, channels, height, width] = shape;
  const plane = height * width;
  const moved = new Float32Array(data.length);
  for (let pixel = 0; pixel < plane; pixel += 1) {
    for (let channel = 0; channel < channels; channel += 1) {
      moved[pixel * channels + channel] = data[channel * plane + pixel];
    }
  }
  return { shape: [batch, height, width, channels], data: moved };
}

/** Return an image tensor [1, H, W, 3] with its channels first; others as they are. */
export function channelsFirst({ shape, data }) {
  if (shape.length !== 4) {
    return { shape, data };
  }
  const [batch, height, width, channels] = shape;
  const plane = height * width;
  const moved = new Float32Array(data.length);
  for (let pixel = 0; pixel < plane; pixel += 1) {
    for (let channel = 0; channel < channels; channel += 1) {
      moved[channel * plane + pixel] = data[pixel * channels + channel];
    }
  }
  return { shape: [batch, channels, height, width], data: moved };
}

/** Return where a picture lies in a frame that it is scaled into, its proportions kept. */
export function placeIn(picture, frame) {
  const scale = Math.min(frame.height / picture.height, frame.width / picture.width);
  const height = Math.min(frame.height, Math.max(1, Math.round(picture.height * scale)));
  const width = Math.min(frame.width, Math.max(1, Math.round(picture.width * scale)));
  const top = Math.floor((frame.height - height) / 2);
  const left = Math.floor((frame.width - width) / 2);
  return { top, left, height, width };
}

/** Return the middle of a picture that has the proportions of a frame. */
export function middleOf(picture, frame) {
  const scale = Math.min(picture.height / frame.height, picture.width / frame.width);
  const height = frame.height * scale;
  const width = frame.width * scale;
  return { top: (picture.height - height) / 2, left: (picture.width - width) / 2, height, width };
}

/**
 * Return a frame's tensor from the picture inside it, the rest filled by mirroring its edges.
 *
 * @param inner The tensor of the picture, [1, 3, h, w].
 * @param place Where it lies: `placeIn`.
 * @param frame Height and width.
 */
export function mirroredInto(inner, place, frame) {
  const data = new Float32Array(3 * frame.height * frame.width);
  const rows = mirroredIndices(place.height, -place.top, frame.height);
  const columns = mirroredIndices(place.width, -place.left, frame.width);
  let index = 0;
  for (let channel = 0; channel < 3; channel += 1) {
    for (const row of rows) {
      const base = (channel * place.height + row) * place.width;
      for (const column of columns) {
        data[index] = inner.data[base + column];
        index += 1;
      }
    }
  }
  return { shape: [1, 3, frame.height, frame.width], data };
}

/** Return an image tensor at a whole multiple of its size, each pixel repeated. */
export function enlarged({ shape, data }, scale) {
  if (scale === 1) {
    return { shape, data };
  }
  const [batch, channels, height, width] = shape;
  const larger = new Float32Array(data.length * scale * scale);
  let index = 0;
  for (let channel = 0; channel < channels; channel += 1) {
    for (let row = 0; row < height * scale; row += 1) {
      const base = (channel * height + Math.floor(row / scale)) * width;
      for (let column = 0; column < width * scale; column += 1) {
        larger[index] = data[base + Math.floor(column / scale)];
        index += 1;
      }
    }
  }
  return { shape: [batch, channels, height * scale, width * scale], data: larger };
}

/** Return `second` where strength is 1, `first` where it is 0, and what lies between. */
export function blended(first, second, strength) {
  const data = second.data.map(
    (value, index) => first.data[index] + strength * (value - first.data[index]),
  );
  return { shape: second.shape, data };
}
