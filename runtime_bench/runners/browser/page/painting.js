/** Painting section: a photo or the camera, in a packed style or that of a picture. */

import { find, showTrouble, tensorsOf } from "./host.js";
import { OpenFiles, isOfSize } from "./files.js";
import { onPicture, pictureAt, pixels, save, show, sizeOf } from "./pictures.js";
import { labelOf } from "./chart.js";
import { FullSize, paintInTiles, tilingOf } from "./fullsize.js";
import { iterate } from "./iterating.js";
import { blendedCodes, blendingNote, canBlend, checkCodes } from "./codes.js";
import { chosenStyle, offerStyle, thumbnailsOf } from "./styles.js";
import {
  blended, enlarged, middleOf, mirroredInto, placeIn, tensorFromPixels,
} from "./tensors.js";

const OWN = "own";
const PAINTERS = new Set(["stylize", "transform", "step"]);

// Of several sizes the nearest to this one is preselected: fast, and large enough to look at.
const HANDY_PIXELS = 256 * 256;

/** Fill the section and paint a first picture; return a function that stops camera and painting. */
export async function startPainting(job, runtimes) {
  const distance = ({ size }) => Math.abs(Math.log((size.height * size.width) / HANDY_PIXELS));
  const painters = job.cells
    .filter(({ subject }) => PAINTERS.has(subject.role))
    .sort((a, b) => distance(a) - distance(b));
  if (!painters.length) {
    return async () => undefined;
  }
  find("painting").hidden = false;
  const easel = new Easel(job, runtimes, painters);
  await easel.begin();
  return async () => {
    easel.stop();
    easel.cutShort();
    await easel.busy;
    await easel.fullSize.close();
  };
}

/** State of the section: its pictures, and the files and codes behind them. */
class Easel {
  constructor(job, runtimes, painters) {
    Object.assign(this, { job, painters, styles: new Map() });
    this.files = new OpenFiles(job.cells, runtimes);
    this.fullSize = new FullSize(job, runtimes);
    this.busy = Promise.resolve();
    this.stream = null;
    // Number of the last request to paint or to stop: a long painting of an earlier one ends.
    this.request = 0;
    find("iterations").value = job.network.optimization?.iterations ?? "";
    painters.forEach((cell, index) => find("painter").append(new Option(labelOf(cell), index)));
  }

  async begin() {
    await this.listStyles();
    this.listen();
    if (this.job.examples.content) {
      this.source = await pictureAt(`examples/${this.job.examples.content}`);
      await this.repaint();
    }
  }

  get cell() {
    return this.painters[Number(find("painter").value)];
  }

  /** Offer the styles of the network: none, packed codes, or pictures. */
  async listStyles() {
    const takesStyle = this.painters.some(({ inputs }) => inputs.length > 1);
    find("style").hidden = !takesStyle;
    for (const { path, names } of this.job.styles) {
      const codes = await tensorsOf(path);
      checkCodes(codes, path, this.job);
      names.forEach((name) => this.styles.set(`code ${name}`, { name, code: codes.get(name) }));
    }
    const thumbnails = thumbnailsOf(this.job.styles);
    for (const [value, { name }] of this.styles) {
      offerStyle(value, name, thumbnails.has(name) && `artifact/${thumbnails.get(name)}`);
    }
    if (takesStyle && (this.encoder(this.painters[0]) || this.painters[0].subject.role === "stylize")) {
      for (const file of this.job.examples.styles) {
        const name = file.replace(/^style_|\.\w+$/g, "");
        this.styles.set(file, { picture: await pictureAt(`examples/${file}`) });
        offerStyle(file, `example: ${name}`, `examples/${file}`);
      }
      offerStyle(OWN, "your picture …");
    }
    this.listBlends();
  }

  /** Offer the packed codes to blend the chosen style with, or say why that is not possible. */
  listBlends() {
    const names = [...this.styles].filter(([, { code }]) => code);
    find("blending").hidden = names.length < 2;
    names.forEach(([value, { name }]) => find("second").append(new Option(name, value)));
    find("second").disabled = !canBlend(this.job.network);
    find("blending-note").textContent = blendingNote(this.job.network);
  }

  listen() {
    const repaint = () => this.repaint();
    find("painter").addEventListener("change", repaint);
    find("iterations").addEventListener("change", repaint);
    find("full").addEventListener("change", repaint);
    find("stop").addEventListener("click", () => this.cutShort());
    find("stop-tiles").addEventListener("click", () => this.cutShort());
    find("save").addEventListener("click", () => save("painted", "painting.png"));
    for (const id of ["strength", "blend"]) {
      find(id).addEventListener("input", () => {
        find(`${id}-value`).textContent = Number(find(id).value).toFixed(2);
      });
      find(id).addEventListener("change", repaint);
    }
    find("second").addEventListener("change", () => {
      find("blend").disabled = !find("second").value;
      this.repaint();
    });
    find("style").addEventListener("change", () => {
      if (chosenStyle() === OWN && !this.styles.has(OWN)) {
        find("style-photo").click();
      } else {
        this.repaint();
      }
    });
    onPicture("photo", (picture) => {
      this.stop();
      this.source = picture;
      return this.repaint();
    });
    onPicture("style-photo", (picture) => {
      this.styles.set(OWN, { picture });
      return this.repaint();
    });
    find("camera").addEventListener("click", () => {
      (this.stream ? Promise.resolve(this.stop()) : this.film()).catch(showTrouble);
    });
  }

  /** Paint the current choice after the painting in progress, which is cut short if it is long. */
  repaint() {
    const request = this.cutShort();
    this.busy = this.busy
      .then(() => this.paint(request))
      .then(() => showTrouble(null), (error) => (error.cancelled ? showTrouble(null) : showTrouble(error)));
    return this.busy;
  }

  /** End an optimization or a painting in tiles after the step in progress; return its number. */
  cutShort() {
    this.request += 1;
    return this.request;
  }

  async paint(request) {
    if (!this.source) {
      return;
    }
    const begin = performance.now();
    const cell = this.cell;
    const iterates = cell.subject.role === "step";
    this.showControls(cell);
    const frame = cell.size;
    const place = placeIn(sizeOf(this.source), frame);
    const photo = tensorFromPixels(pixels(this.source, null, place), place.height, place.width);
    const strength = Number(find("strength").value);
    const content = mirroredInto(photo, place, frame);
    show("content", photo, { top: 0, left: 0, height: place.height, width: place.width });
    const isWanted = () => request === this.request;
    const isLarge = !this.stream && find("full").checked && this.fullSize.takes(this.source, cell);
    if ((iterates || isLarge) && !isWanted()) {
      return;
    }
    const inputs = await this.inputsOf(cell, content, strength);
    if (iterates) {
      const rules = this.job.network.optimization;
      await iterate(this.files, cell, inputs, { content, place }, rules, isWanted);
      return;
    }
    if (isLarge) {
      await paintInTiles(this.fullSize, this.source, cell, { ...inputs, strength }, isWanted);
      return;
    }
    const stability = Number(find("stability").value);
    const isSmoothed = this.stream && stability > 0 && this.fullSize.smooths(cell);
    let image = isSmoothed
      ? await this.fullSize.paintFrame(cell, content, inputs, stability)
      : await this.files.run(cell, inputs);
    const scale = image.shape[2] / frame.height;
    if (cell.inputs.length === 1) {
      image = blended(enlarged(content, scale), image, strength);
    }
    const { top, left, height, width } = place;
    const painted = {
      top: scale * top, left: scale * left, height: scale * height, width: scale * width,
    };
    show("painted", image, painted);
    const took = performance.now() - begin;
    find("painted-caption").textContent = this.stream
      ? `the painting, ${(1000 / took).toFixed(1)} a second`
      : `the painting, ${painted.height}×${painted.width}`;
  }

  /** Offer iterations where the file is iterated, and else the camera; and full size, or say how. */
  showControls(cell) {
    const iterates = cell.subject.role === "step";
    const hasTiles = Boolean(tilingOf(this.job, cell));
    find("tiling").hidden = iterates || !hasTiles;
    find("no-tiles").hidden = iterates || hasTiles;
    find("no-tiles").textContent =
      `Photos are scaled to ${cell.size.height}×${cell.size.width}. To paint them at full size, ` +
      "export the network again with styleexport export --full.";
    if (iterates && this.stream) {
      this.stop();
    }
    find("optimizing").hidden = !iterates;
    find("camera").disabled = iterates || !navigator.mediaDevices?.getUserMedia;
  }

  async inputsOf(cell, content, strength) {
    const inputs = {};
    for (const { name, kind, shape } of cell.inputs) {
      if (kind === "strength") {
        inputs[name] = { shape, data: new Float32Array([strength]) };
      } else if (kind === "style_code") {
        inputs[name] = await this.code(cell);
      } else if (kind === "content_target") {
        inputs[name] = await this.contentTarget(cell, content);
      } else {
        inputs[name] = name === "style" ? this.stylePicture(cell) : content;
      }
    }
    return inputs;
  }

  /** Return the target of a content for a `step` file. */
  async contentTarget(cell, content) {
    const file = this.files.nearest("content", cell, (other) => isOfSize(other, cell.size));
    if (!file) {
      throw new Error(`the artifact has no content file of ${cell.size.height}×${cell.size.width}`);
    }
    return this.files.run(file, { [file.inputs[0].name]: content });
  }

  stylePicture({ size }) {
    const { picture } = this.styles.get(chosenStyle()) ?? {};
    if (!picture) {
      throw new Error("choose a style picture: this file takes no packed code");
    }
    const whole = { top: 0, left: 0, height: size.height, width: size.width };
    return tensorFromPixels(pixels(picture, middleOf(sizeOf(picture), size), whole), size.height, size.width);
  }

  /** Return the chosen style code, blended with that of a second style if one is chosen. */
  async code(cell) {
    const first = await this.chosenCode(cell);
    const second = this.styles.get(find("second").value);
    if (!second) {
      return first;
    }
    const weight = Number(find("blend").value);
    return blendedCodes([first, second.code], [1 - weight, weight], this.job.network);
  }

  /** Return the code of the chosen style; that of a picture is computed once per file. */
  async chosenCode(cell) {
    const style = this.styles.get(chosenStyle());
    if (!style) {
      throw new Error("choose a style; pack some with `styleexport styles pack`");
    }
    if (style.code) {
      return style.code;
    }
    const encoder = this.encoder(cell);
    style.codes ??= new Map();
    if (!style.codes.has(encoder.subject.path)) {
      const code = await this.files.run(encoder, { style: this.stylePicture(encoder) });
      style.codes.set(encoder.subject.path, code);
    }
    return style.codes.get(encoder.subject.path);
  }

  /** Return the encode file nearest to a painting file. */
  encoder(cell) {
    return this.files.nearest("encode", cell);
  }

  async film() {
    const video = find("video");
    this.stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    video.srcObject = this.stream;
    await video.play();
    this.source = video;
    find("camera").textContent = "Stop the camera";
    const loop = async () => {
      if (this.stream) {
        await this.repaint();
        requestAnimationFrame(loop);
      }
    };
    requestAnimationFrame(loop);
  }

  stop() {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
    find("camera").textContent = "Use the camera";
  }
}
