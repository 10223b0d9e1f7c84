/** Files of the artifact that are open to paint with: one of each role. */

import { bytesOf } from "./host.js";

/** Whether a cell is of a size. */
export function isOfSize({ size }, { height, width }) {
  return size.height === height && size.width === width;
}

/** Files of a job, opened when they are run. */
export class OpenFiles {
  #cells;
  #runtimes;
  #sessions = new Map();

  /**
   * @param cells Cells of the job.
   * @param {Runtimes} runtimes
   */
  constructor(cells, runtimes) {
    this.#cells = cells;
    this.#runtimes = runtimes;
  }

  /** Return the file of a role nearest to another one in format, precision and size. */
  nearest(role, { subject, size }, isFit = () => true) {
    const likeness = (other) =>
      4 * (other.subject.target === subject.target) +
      2 * (other.subject.precision === subject.precision) +
      isOfSize(other, size);
    const files = this.#cells.filter((other) => other.subject.role === role && isFit(other));
    return files.sort((a, b) => likeness(b) - likeness(a))[0];
  }

  /** Run a file; return its first output. */
  async run(cell, inputs) {
    return (await this.outputsOf(cell, inputs))[cell.outputs[0].name];
  }

  /** Run a file, which stays open until another one of its role is run; return its outputs. */
  async outputsOf(cell, inputs) {
    const { role, path } = cell.subject;
    if (this.#sessions.get(role)?.path !== path) {
      this.#sessions.get(role)?.session.close();
      this.#sessions.delete(role);
      const session = await this.#runtimes.open(cell, await bytesOf(`artifact/${path}`));
      this.#sessions.set(role, { path, session });
    }
    const { session } = this.#sessions.get(role);
    session.feed(inputs);
    await session.invoke();
    return session.fetch();
  }
}
