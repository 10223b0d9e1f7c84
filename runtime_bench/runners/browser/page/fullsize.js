/** Photos at their full size, painted in tiles with the statistics of the whole photo. */

import { FramePainter } from "./film.js";
import { isOfSize } from "./files.js";
import { bytesOf, find, tensorsOf } from "./host.js";
import { openStore } from "./maps.js";
import { parityOf } from "./parity.js";
import { pixels, sizeOf } from "./pictures.js";
import { TiledPainter, gathered } from "./tiled.js";
import { blended, pixelsFromTensor, tensorFromPixels } from "./tensors.js";

/** Return the tiling of a file's target, precision and role; undefined where there is none. */
export function tilingOf(job, { subject }) {
  return job.tilings.find(({ target, precision, role }) =>
    target === subject.target && precision === subject.precision && role === subject.role);
}

/** Return a photo that is read window by window: only a window of it becomes floats. */
export function photoOf(source) {
  const window = (rows, columns) => {
    const [top, left] = [Math.min(...rows), Math.min(...columns)];
    const height = Math.max(...rows) + 1 - top;
    const width = Math.max(...columns) + 1 - left;
    const rgba = pixels(source, { top, left, height, width }, { height, width });
    const part = tensorFromPixels(rgba, height, width);
    return gathered(part, rows.map((row) => row - top), columns.map((column) => column - left));
  };
  return { size: sizeOf(source), window };
}

/** Return the seconds that are left of a painting, from when its first tile was begun. */
export function secondsLeft(seconds, doneBefore, { done, total }) {
  return (seconds / (done - doneBefore)) * (total - done);
}

/** Paints photos at full size; keeps the features of the last one, for other styles and strengths. */
export class FullSize {
  #job;
  #runtimes;
  #kept = null;
  #frames = null;
  #proven = new Set();

  constructor(job, runtimes) {
    this.#job = job;
    this.#runtimes = runtimes;
  }

  /** Whether a source is larger than a file, which then paints it in tiles. */
  takes(source, cell) {
    const { height, width } = sizeOf(source);
    return Boolean(tilingOf(this.#job, cell)) && (height > cell.size.height || width > cell.size.width);
  }

  /**
   * Paint a photo on the canvas of the painting.
   *
   * @param source Picture.
   * @param cell Painting file, whose tiling is used.
   * @param inputs Tensor `style_code`, and the number `strength`.
   * @param {(progress, secondsLeft: number) => Promise<boolean>} report Returns whether to go on.
   * @returns Height and width of the painting.
   */
  async paint(source, cell, inputs, report) {
    const tiling = tilingOf(this.#job, cell);
    const painter = new TiledPainter(tiling, this.#job.passes, this.#open, openStore);
    await this.#prove(painter);
    const begin = performance.now();
    let before = null;
    const timed = (progress) => {
      before ??= progress.done - 1;
      return report(progress, secondsLeft((performance.now() - begin) / 1000, before, progress));
    };
    const features = await this.#features(painter, source, tiling, timed);
    const { style_code: code, strength } = inputs;
    const tensors = { style_code: code, strength: { shape: [1], data: Float32Array.of(strength) } };
    const canvas = new OffscreenCanvas(1, 1);
    const context = canvas.getContext("2d");
    const { height, width } = features.picture.size;
    let scale = 0;
    const write = (top, left, part) => {
      const [, , rows, columns] = part.shape;
      if (!scale) {
        scale = this.#scaleOf(painter, tiling);
        Object.assign(canvas, { height: scale * height, width: scale * width });
      }
      const mixed = painter.takesStrength || strength === 1
        ? part
        : blended(this.#contentOf(features.picture, top, left, rows, columns, scale), part, strength);
      context.putImageData(new ImageData(pixelsFromTensor(mixed), columns, rows), left, top);
    };
    await painter.render(features, tensors, write, timed);
    const shown = find("painted");
    Object.assign(shown, { height: canvas.height, width: canvas.width });
    shown.getContext("2d").drawImage(canvas, 0, 0);
    return { height: canvas.height, width: canvas.width };
  }

  /** Whether frames of the camera are painted with smoothed statistics: a window is as a file. */
  smooths(cell) {
    const tiling = tilingOf(this.#job, cell);
    return Boolean(tiling) && isOfSize(cell, tiling.window);
  }

  /**
   * Return a frame of the camera painted with statistics smoothed over time.
   *
   * @param content Tensor of the frame in its window.
   * @param {number} stability 0 takes each frame's own statistics, 1 averages longest.
   */
  async paintFrame(cell, content, inputs, stability) {
    const tiling = tilingOf(this.#job, cell);
    const key = `${cell.subject.path} ${stability}`;
    if (this.#frames?.key !== key) {
      this.#frames?.painter.close();
      this.#frames = null;
      await this.#prove(new TiledPainter(tiling, this.#job.passes, this.#open, openStore));
      const painter = await FramePainter.open(tiling, this.#job.passes, stability, this.#open);
      this.#frames = { key, painter };
    }
    return this.#frames.painter.paint(content, inputs, performance.now() / 1000);
  }

  #open = async (pass) =>
    this.#runtimes.open(pass, await bytesOf(`artifact/${pass.subject.path}`));

  /** Remove what is kept, and close what paints frames. */
  async close() {
    this.#frames?.painter.close();
    this.#frames = null;
    await this.#forget();
  }

  async #forget() {
    const { features } = this.#kept ?? {};
    this.#kept = null;
    await features?.store.close();
  }

  async #features(painter, source, tiling, report) {
    if (this.#kept?.source !== source || this.#kept.tiling !== tiling) {
      await this.#forget();
      const features = await painter.features(photoOf(source), report);
      this.#kept = { source, tiling, features };
    }
    return this.#kept.features;
  }

  #scaleOf({ last }, { window }) {
    const { shape, layout } = last.outputs.find(({ kind }) => kind === "image");
    return shape[layout === "NHWC" ? 1 : 2] / window.height;
  }

  #contentOf(picture, top, left, rows, columns, scale) {
    const from = (begin, length) =>
      Int32Array.from({ length }, (_, index) => Math.floor((begin + index) / scale));
    return picture.window(from(top, rows), from(left, columns));
  }

  /** Paint the probe with the files of a tiling, before they paint anything else. */
  async #prove(painter) {
    const { last } = painter;
    if (this.#proven.has(last.subject.path)) {
      return;
    }
    const probe = await tensorsOf(last.probe);
    const image = await painter.painting(Object.fromEntries(probe));
    const parity = parityOf(last, { [last.outputs[0].name]: image }, probe);
    if (!(parity.measured_db >= parity.allowed_db)) {
      throw new Error(
        `the tiles of ${last.subject.path} are wrong here: ${parity.measured_db} dB on the probe, ` +
        `at least ${parity.allowed_db} allowed: choose another file`,
      );
    }
    this.#proven.add(last.subject.path);
  }
}

/**
 * Paint a photo at its full size, with its progress on the page.
 *
 * @param {FullSize} fullSize
 * @param inputs Tensor `style_code`, and the number `strength`.
 * @param {() => boolean} isWanted Whether to go on.
 */
export async function paintInTiles(fullSize, source, cell, inputs, isWanted) {
  const report = async ({ done, total }, left) => {
    Object.assign(find("tile"), { max: total, value: done });
    find("painted-caption").textContent =
      `the painting, tile ${done} of ${total}, about ${Math.ceil(left)} s left`;
    // The page draws, and takes clicks.
    await new Promise((resolve) => setTimeout(resolve));
    return isWanted();
  };
  find("stop-tiles").disabled = false;
  try {
    const { height, width } = await fullSize.paint(source, cell, inputs, report);
    find("painted-caption").textContent = `the painting, ${height}×${width}, at full size`;
  } catch (error) {
    find("painted-caption").textContent = error.cancelled ? "the painting was stopped" : "";
    throw error;
  } finally {
    find("stop-tiles").disabled = true;
  }
}
