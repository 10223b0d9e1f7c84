/** Painting section: a photo or the camera, in a packed style or that of a picture. */

import { find, showTrouble } from "./host.js";
import { frameTo, startComparing } from "./compare.js";
import { OpenFiles, isOfSize } from "./files.js";
import { FullSize, paintInTiles, tilingOf } from "./fullsize.js";
import { iterate } from "./iterating.js";
import { factsOf, fileName, plainNames } from "./names.js";
import { onPicture, pictureAt, pixels, show, showPhoto, sizeOf } from "./pictures.js";
import { startSaving } from "./saving.js";
import { OWN, StyleInputs } from "./styleinputs.js";
import { chosenStyle, dropPlaceholders } from "./styles.js";
import { blended, enlarged, mirroredInto, placeIn, tensorFromPixels } from "./tensors.js";
import { keepThumbnail, paintsThumbnails } from "./thumbnails.js";

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
    easel.paintsThumbnails = false;
    easel.cutShort();
    await easel.busy;
    await easel.fullSize.close();
  };
}

/** State of the section: its pictures, and the files and codes behind them. */
class Easel {
  constructor(job, runtimes, painters) {
    Object.assign(this, { job, painters, photoName: "sample", paintsThumbnails: true });
    this.files = new OpenFiles(job.cells, runtimes);
    this.styles = new StyleInputs(job, this.files);
    this.fullSize = new FullSize(job, runtimes);
    this.busy = Promise.resolve();
    this.stream = null;
    // Number of the last request to paint or to stop: a long painting of an earlier one ends.
    this.request = 0;
    find("iterations").value = job.network.optimization?.iterations ?? "";
    const names = plainNames(painters, new Set(painters.map(({ subject }) => subject.role)).size > 1);
    names.forEach((name, index) => find("painter").append(new Option(name, index)));
  }

  async begin() {
    await this.styles.offer(this.painters);
    this.listen();
    if (this.job.examples.content) {
      this.source = await pictureAt(`examples/${this.job.examples.content}`);
      const sample = this.source;
      await this.repaint();
      this.paintThumbnails(sample).finally(dropPlaceholders);
    }
  }

  get cell() {
    return this.painters[Number(find("painter").value)];
  }

  /** Paint the sample in the styles without a thumbnail, one after another between repaints. */
  async paintThumbnails(sample) {
    const [cell] = this.painters;
    if (!paintsThumbnails(cell)) {
      return;
    }
    const place = placeIn(sizeOf(sample), cell.size);
    const photo = tensorFromPixels(pixels(sample, null, place), place.height, place.width);
    const content = mirroredInto(photo, place, cell.size);
    for (const [value, style] of this.styles.unpainted) {
      const paint = async () => {
        // Another file would have to be opened again and again.
        if (!this.paintsThumbnails || this.stream || this.cell !== cell) {
          return;
        }
        const inputs = await this.inputsOf(cell, content, 1, style);
        const image = await this.files.run(cell, inputs);
        await keepThumbnail(value, image, scaledBy(place, image.shape[2] / cell.size.height));
      };
      // What fails is said when the style is chosen.
      this.busy = this.busy.then(paint).catch(() => undefined);
      await this.busy;
    }
  }

  listen() {
    const repaint = () => this.repaint();
    find("painter").addEventListener("change", repaint);
    find("iterations").addEventListener("change", repaint);
    find("full").addEventListener("change", repaint);
    find("stop").addEventListener("click", () => this.cutShort());
    find("stop-tiles").addEventListener("click", () => this.cutShort());
    startComparing();
    startSaving(() => fileName(this.photoName, this.styles.chosen?.name ?? this.job.network.name));
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
      if (chosenStyle() === OWN && !this.styles.hasOwn) {
        find("style-photo").click();
      } else {
        this.repaint();
      }
    });
    onPicture("photo", (picture, name) => {
      this.stop();
      this.source = picture;
      this.photoName = name;
      return this.repaint();
    });
    onPicture("style-photo", (picture) => {
      this.styles.takeOwn(picture);
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
    if (this.stream) {
      // The frame that is painted: the camera has moved on when the painting is shown.
      show("content", photo, { top: 0, left: 0, height: place.height, width: place.width });
    } else {
      showPhoto("content", this.source);
    }
    frameTo(place);
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
    const painted = scaledBy(place, scale);
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
    find("steadying").hidden = !this.stream || !hasTiles;
    showFacts(cell);
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

  /** Return the inputs of a file, in a style or by default in the chosen one. */
  async inputsOf(cell, content, strength, style = null) {
    const inputs = {};
    for (const { name, kind, shape } of cell.inputs) {
      if (kind === "strength") {
        inputs[name] = { shape, data: new Float32Array([strength]) };
      } else if (kind === "style_code") {
        inputs[name] = await (style ? this.styles.codeOf(cell, style) : this.styles.chosenCode(cell));
      } else if (kind === "content_target") {
        inputs[name] = await this.contentTarget(cell, content);
      } else {
        inputs[name] = name === "style"
          ? this.styles.pictureFor(cell, style ?? this.styles.chosen)
          : content;
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

  async film() {
    const video = find("video");
    this.stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    video.srcObject = this.stream;
    await video.play();
    this.source = video;
    this.photoName = "camera";
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

/** Return a place at a multiple of its size. */
function scaledBy({ top, left, height, width }, scale) {
  return { top: scale * top, left: scale * left, height: scale * height, width: scale * width };
}

/** List the facts of the file that paints. */
function showFacts(cell) {
  const parts = Object.entries(factsOf(cell)).flatMap(([name, text]) => [
    Object.assign(document.createElement("dt"), { textContent: name }),
    Object.assign(document.createElement("dd"), { textContent: text }),
  ]);
  find("file-facts").replaceChildren(...parts);
}
