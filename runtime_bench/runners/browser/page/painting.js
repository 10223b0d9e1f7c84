/** Painting section: a photo or the camera, in a packed style or that of a picture. */

import { bytesOf, find, showTrouble, tensorsOf } from "./host.js";
import { labelOf } from "./chart.js";
import { blendedCodes, blendingNote, canBlend, checkCodes } from "./codes.js";
import { chosenStyle, offerStyle, thumbnailsOf } from "./styles.js";
import {
  blended, enlarged, middleOf, mirroredInto, pixelsFromTensor, placeIn, tensorFromPixels,
} from "./tensors.js";

const OWN = "own";

// Of several sizes the nearest to this one is preselected: fast, and large enough to look at.
const HANDY_PIXELS = 256 * 256;

/** Fill the section and paint a first picture; return a function that stops camera and painting. */
export async function startPainting(job, runtimes) {
  const distance = ({ size }) => Math.abs(Math.log((size.height * size.width) / HANDY_PIXELS));
  const painters = job.cells
    .filter(({ subject }) => subject.role !== "encode")
    .sort((a, b) => distance(a) - distance(b));
  if (!painters.length) {
    return async () => undefined;
  }
  find("painting").hidden = false;
  const easel = new Easel(job, runtimes, painters);
  await easel.begin();
  return () => {
    easel.stop();
    return easel.busy;
  };
}

/** State of the section: its pictures, and the files and codes behind them. */
class Easel {
  constructor(job, runtimes, painters) {
    Object.assign(this, { job, runtimes, painters, sessions: new Map(), styles: new Map() });
    this.busy = Promise.resolve();
    this.stream = null;
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
    find("camera").disabled = !navigator.mediaDevices?.getUserMedia;
    find("camera").addEventListener("click", () => {
      (this.stream ? Promise.resolve(this.stop()) : this.film()).catch(showTrouble);
    });
  }

  /** Paint the current choice after the painting in progress. */
  repaint() {
    this.busy = this.busy.then(() => this.paint()).then(() => showTrouble(null), showTrouble);
    return this.busy;
  }

  async paint() {
    if (!this.source) {
      return;
    }
    const begin = performance.now();
    const cell = this.cell;
    const frame = cell.size;
    const place = placeIn(sizeOf(this.source), frame);
    const photo = tensorFromPixels(pixels(this.source, null, place), place.height, place.width);
    const strength = Number(find("strength").value);
    const content = mirroredInto(photo, place, frame);
    let image = await this.run(cell, await this.inputsOf(cell, content, strength));
    const scale = image.shape[2] / frame.height;
    if (cell.inputs.length === 1) {
      image = blended(enlarged(content, scale), image, strength);
    }
    show("content", photo, { top: 0, left: 0, height: place.height, width: place.width });
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

  async inputsOf(cell, content, strength) {
    const inputs = {};
    for (const { name, kind, shape } of cell.inputs) {
      if (kind === "strength") {
        inputs[name] = { shape, data: new Float32Array([strength]) };
      } else if (kind === "style_code") {
        inputs[name] = await this.code(cell);
      } else {
        inputs[name] = name === "style" ? this.stylePicture(cell) : content;
      }
    }
    return inputs;
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
      const code = await this.run(encoder, { style: this.stylePicture(encoder) });
      style.codes.set(encoder.subject.path, code);
    }
    return style.codes.get(encoder.subject.path);
  }

  /** Return the encode file nearest to a painting file in format, precision and size. */
  encoder({ subject, size }) {
    const likeness = (other) =>
      4 * (other.subject.target === subject.target) +
      2 * (other.subject.precision === subject.precision) +
      (other.size.height === size.height && other.size.width === size.width);
    const encoders = this.job.cells.filter((other) => other.subject.role === "encode");
    return encoders.sort((a, b) => likeness(b) - likeness(a))[0];
  }

  /** Run a file, which stays open until another one of its role is run. */
  async run(cell, inputs) {
    const { role, path } = cell.subject;
    if (this.sessions.get(role)?.path !== path) {
      this.sessions.get(role)?.session.close();
      this.sessions.delete(role);
      const session = await this.runtimes.open(cell, await bytesOf(`artifact/${path}`));
      this.sessions.set(role, { path, session });
    }
    const { session } = this.sessions.get(role);
    session.feed(inputs);
    await session.invoke();
    return session.fetch()[cell.outputs[0].name];
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

function onPicture(id, take) {
  find(id).addEventListener("change", async () => {
    const [file] = find(id).files;
    if (file) {
      await createImageBitmap(file)
        .then(take)
        .catch(() => showTrouble(`${file.name} is not a picture that this browser can read`));
    }
  });
}

async function pictureAt(path) {
  return createImageBitmap(new Blob([await bytesOf(path)]));
}

function sizeOf(source) {
  return { height: source.videoHeight ?? source.height, width: source.videoWidth ?? source.width };
}

/** Return the RGBA bytes of a part of a picture (null: all of it), scaled to a size. */
function pixels(source, part, { height, width }) {
  const from = part ?? { top: 0, left: 0, ...sizeOf(source) };
  const context = new OffscreenCanvas(width, height).getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(source, from.left, from.top, from.width, from.height, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}

/** Draw a part of a tensor on a canvas of the page. */
function show(id, image, place) {
  const canvas = find(id);
  Object.assign(canvas, { width: place.width, height: place.height });
  const [, , height, width] = image.shape;
  const whole = new ImageData(pixelsFromTensor(image), width, height);
  canvas.getContext("2d").putImageData(whole, -place.left, -place.top);
}
