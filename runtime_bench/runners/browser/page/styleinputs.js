/** Styles of the page, and what the files take for each: a packed code, or a picture. */

import { blendedCodes, blendingNote, canBlend, checkCodes } from "./codes.js";
import { bytesOf, find, tensorsOf } from "./host.js";
import { titled } from "./names.js";
import { pictureAt, pixels, sizeOf } from "./pictures.js";
import { tensorsFrom } from "./safetensors.js";
import { chosenStyle, offerStyle, thumbnailsOf } from "./styles.js";
import { middleOf, tensorFromPixels } from "./tensors.js";

/** Value of the choice of a picture of one's own. */
export const OWN = "own";

/** Styles that the page offers: value -> {name, code, picture, painted}. */
export class StyleInputs {
  #job;
  #files;
  #offered = new Map();

  /**
   * @param job Job of the page.
   * @param {OpenFiles} files
   */
  constructor(job, files) {
    this.#job = job;
    this.#files = files;
  }

  /** Offer packed codes, those that ship with the package, and pictures. */
  async offer(painters) {
    const takesStyle = painters.some(({ inputs }) => inputs.length > 1);
    find("style").hidden = !takesStyle;
    if (!takesStyle) {
      return;
    }
    await this.#offerPacked();
    await this.#offerShipped(painters);
    if (this.encoder(painters[0]) || painters[0].subject.role === "stylize") {
      for (const file of this.#job.examples.styles) {
        const name = titled(file.replace(/^style_|\.\w+$/g, ""));
        const picture = await pictureAt(`examples/${file}`);
        this.#add(file, { name, picture }, `examples/${file}`, "an example picture");
      }
      offerStyle(OWN, "Your picture …", undefined, "a picture of yours as the style");
    }
    this.#offerBlends();
  }

  async #offerPacked() {
    const thumbnails = thumbnailsOf(this.#job.styles);
    for (const { path, names } of this.#job.styles) {
      const codes = await tensorsOf(path);
      checkCodes(codes, path, this.#job);
      for (const name of names) {
        const picture = thumbnails.has(name) ? `artifact/${thumbnails.get(name)}` : "";
        const style = { name: titled(name), code: codes.get(name), painted: Boolean(picture) };
        this.#add(`code ${name}`, style, picture, this.#job.shipped?.paintings[name]);
      }
    }
  }

  /** Offer codes that ship for the weights of the artifact, and are not in its packs. */
  async #offerShipped(painters) {
    const { file, paintings } = this.#job.shipped ?? {};
    const takesCode = painters.some(({ inputs }) => inputs.some(({ kind }) => kind === "style_code"));
    if (!file || !takesCode) {
      return;
    }
    const codes = tensorsFrom(await bytesOf(`examples/${file}`));
    for (const [name, hint] of Object.entries(paintings)) {
      if (!this.#offered.has(`code ${name}`)) {
        this.#add(`code ${name}`, { name: titled(name), code: codes.get(name) }, "", hint);
      }
    }
  }

  /** Add a style; of two with one value the last counts, in the place of the first. */
  #add(value, style, picture, hint) {
    if (!this.#offered.has(value)) {
      offerStyle(value, style.name, picture, hint);
    }
    this.#offered.set(value, style);
  }

  /** Offer the codes to blend the chosen style with, or say why that is not possible. */
  #offerBlends() {
    const named = [...this.#offered].filter(([, { code }]) => code);
    find("blending").hidden = named.length < 2;
    named.forEach(([value, { name }]) => find("second").append(new Option(name, value)));
    find("second").disabled = !canBlend(this.#job.network);
    find("blending-note").textContent = blendingNote(this.#job.network);
  }

  /** Take a picture of the user's as a style. */
  takeOwn(picture) {
    this.#offered.set(OWN, { name: "your style", picture });
  }

  /** Whether a style has been given by the user. */
  get hasOwn() {
    return this.#offered.has(OWN);
  }

  /** The chosen style; undefined where the files take none. */
  get chosen() {
    return this.#offered.get(chosenStyle());
  }

  /** Styles whose thumbnail is not painted: [value, style]. */
  get unpainted() {
    return [...this.#offered].filter(([value, { painted }]) => value !== OWN && !painted);
  }

  /** Return a style's picture as the tensor that a file takes. */
  pictureFor({ size }, { picture } = {}) {
    if (!picture) {
      throw new Error("choose a style picture: this file takes no packed code");
    }
    const whole = { top: 0, left: 0, height: size.height, width: size.width };
    return tensorFromPixels(pixels(picture, middleOf(sizeOf(picture), size), whole), size.height, size.width);
  }

  /** Return the chosen style's code, blended with that of a second style if one is chosen. */
  async chosenCode(cell) {
    const first = await this.codeOf(cell, this.chosen);
    const second = this.#offered.get(find("second").value);
    if (!second) {
      return first;
    }
    const weight = Number(find("blend").value);
    return blendedCodes([first, second.code], [1 - weight, weight], this.#job.network);
  }

  /** Return the code of a style; that of a picture is computed once per file. */
  async codeOf(cell, style) {
    if (!style) {
      throw new Error("choose a style; pack some with `styleexport styles pack`");
    }
    if (style.code) {
      return style.code;
    }
    const encoder = this.encoder(cell);
    style.codes ??= new Map();
    if (!style.codes.has(encoder.subject.path)) {
      const code = await this.#files.run(encoder, { style: this.pictureFor(encoder, style) });
      style.codes.set(encoder.subject.path, code);
    }
    return style.codes.get(encoder.subject.path);
  }

  /** Return the encode file nearest to a painting file. */
  encoder(cell) {
    return this.#files.nearest("encode", cell);
  }
}
