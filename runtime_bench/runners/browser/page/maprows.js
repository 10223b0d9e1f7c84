/** Feature maps of whole pictures as rows of pixels of channels, wherever they are stored. */

/**
 * Write a tile's part of the map of its window.
 *
 * @param map Channels, and height and width of the whole map.
 * @param {{rows, columns}} tile The tile in elements of the map.
 * @param window Tensor of the window, [1, channels, height, width].
 * @param {(at: number, row: Float32Array) => void} put Writes values at an element of the map.
 */
export function writeTile({ channels, width: wide }, { rows, columns }, window, put) {
  const [, , height, width] = window.shape;
  const count = columns.end - columns.begin;
  const row = new Float32Array(count * channels);
  for (let number = rows.begin; number < rows.end; number += 1) {
    for (let channel = 0; channel < channels; channel += 1) {
      const from = (channel * height + number - rows.start) * width + columns.begin - columns.start;
      for (let column = 0; column < count; column += 1) {
        row[column * channels + channel] = window.data[from + column];
      }
    }
    put((number * wide + columns.begin) * channels, row);
  }
}

/**
 * Return a window of a map, [1, channels, height, width].
 *
 * @param map Channels, and height and width of the whole map.
 * @param {{top: number, left: number, height: number, width: number}} part
 * @param {(at: number, row: Float32Array) => void} get Fills an array from an element of the map on.
 */
export function readWindow({ channels, width: wide }, { top, left, height, width }, get) {
  const data = new Float32Array(channels * height * width);
  const row = new Float32Array(width * channels);
  for (let number = 0; number < height; number += 1) {
    get(((top + number) * wide + left) * channels, row);
    for (let channel = 0; channel < channels; channel += 1) {
      const into = (channel * height + number) * width;
      for (let column = 0; column < width; column += 1) {
        data[into + column] = row[column * channels + channel];
      }
    }
  }
  return { shape: [1, channels, height, width], data };
}
