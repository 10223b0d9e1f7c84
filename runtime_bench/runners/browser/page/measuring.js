/** Measuring section: choice of files, run, chart, and the report that is sent. */

import { bytesOf, find, showTrouble, tensorsOf } from "./host.js";
import { draw, milliseconds } from "./chart.js";
import { factsOf, plainNames } from "./names.js";
import { measure, median } from "./protocol.js";
import { machineFrom, reportOf, requestedOf, stateFrom } from "./report.js";
import { pixelsFromTensor } from "./tensors.js";

const WIDEST = 256;

/**
 * Fill the section; return a function that measures the chosen files.
 *
 * @param page `fetchJob()` gets a job with a new nonce; `rest()` ends other activity of the page.
 */
export function startMeasuring(job, runtimes, page) {
  find("measuring").hidden = false;
  const names = plainNames(job.cells);
  const boxes = job.cells.map((cell, index) => addFile(cell, names[index]));
  for (const { path, reason } of job.others) {
    addNote(`${path}: ${reason}`);
  }
  setControls(job);
  const run = async () => {
    const chosen = job.cells.filter((_, index) => boxes[index].checked);
    const plan = { ...job.plan, rounds: Number(find("rounds").value) || job.plan.rounds };
    if (!chosen.length) {
      throw new Error("choose a file to measure");
    }
    find("start").disabled = true;
    find("painting").inert = true;
    showTrouble(null);
    try {
      await page.rest();
      await runAndSend({ ...(await page.fetchJob()), plan }, chosen, runtimes);
    } finally {
      find("start").disabled = false;
      find("painting").inert = false;
    }
  };
  find("start").addEventListener("click", () => run().catch(showTrouble));
  return { run };
}

function addFile(cell, plainName) {
  const label = document.createElement("label");
  const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: true });
  const name = document.createElement("span");
  const path = Object.assign(document.createElement("small"), {
    textContent: `${cell.subject.path}, ${factsOf(cell).download}`,
  });
  name.append(plainName, path);
  label.append(box, name);
  find("files").append(label);
  return box;
}

function addNote(text) {
  const note = document.createElement("p");
  note.textContent = text;
  find("files").append(note);
}

/** Backend and threads are fixed when the page loads: another choice reloads it. */
function setControls({ plan }) {
  const most = globalThis.crossOriginIsolated ? navigator.hardwareConcurrency || 1 : 1;
  find("threads").append(new Option("as the browser likes", ""));
  for (let count = 1; count <= most; count += 1) {
    find("threads").append(new Option(String(count), String(count)));
  }
  find("threads").value = plan.threads ?? "";
  find("backend").value = plan.backend;
  // Browsers without a GPU write a warning when they are asked: not before someone looks.
  const [, webgpu] = find("backend").options;
  webgpu.disabled = plan.backend !== "webgpu";
  find("measure-settings").addEventListener("toggle", async () => {
    webgpu.disabled = !(await navigator.gpu?.requestAdapter().catch(() => null));
  }, { once: true });
  find("rounds").value = plan.rounds;
  for (const name of ["backend", "threads"]) {
    find(name).addEventListener("change", () => {
      const query = new URLSearchParams(location.search);
      query.set(name, find(name).value);
      location.search = query.toString();
    });
  }
}

async function runAndSend(job, cells, runtimes) {
  const created = new Date().toISOString();
  const now = () => performance.now();
  const before = await state();
  await warmRuntimes(cells, runtimes);
  const found = await measure(cells, job.plan, benchOf(runtimes, now));
  const requested = requestedOf(job.plan);
  const facts = found.map((cell) => ({ ...cell, requested }));
  showResults(facts);
  const told = { machine: await machine(job.packages), before, after: await state() };
  await send(reportOf(job, { created, ...told, now, cells: facts }));
}

/** Start each runtime before anything is timed, so that no load time includes it. */
async function warmRuntimes(cells, runtimes) {
  const seen = new Set();
  for (const cell of cells) {
    if (!seen.has(cell.subject.target)) {
      seen.add(cell.subject.target);
      try {
        (await runtimes.open(cell, await bytesOf(`artifact/${cell.subject.path}`))).close();
      } catch {
        // The cell reports the reason when its turn comes.
      }
    }
  }
}

function benchOf(runtimes, now) {
  return {
    bytes: (cell) => bytesOf(`artifact/${cell.subject.path}`),
    open: (cell, bytes) => runtimes.open(cell, bytes),
    probe: (cell) => tensorsOf(cell.probe),
    now,
    pause: () => new Promise((resolve) => setTimeout(resolve)),
    say: (line) => void (find("progress").textContent = line),
    paint: pictureOf,
  };
}

/** Return a file's output on its probe as a JPEG in base64, at most 256 pixels wide. */
function pictureOf(outputs, cell) {
  const { name, kind } = cell.outputs[0];
  if (kind !== "image") {
    return null;
  }
  const [, , height, width] = outputs[name].shape;
  const full = new OffscreenCanvas(width, height);
  full.getContext("2d").putImageData(new ImageData(pixelsFromTensor(outputs[name]), width, height), 0, 0);
  const scale = Math.min(1, WIDEST / width);
  const small = document.createElement("canvas");
  small.width = Math.round(width * scale);
  small.height = Math.max(1, Math.round(height * scale));
  small.getContext("2d").drawImage(full, 0, 0, small.width, small.height);
  return small.toDataURL("image/jpeg", 0.9).split(",")[1];
}

async function state() {
  try {
    return stateFrom(await navigator.getBattery?.());
  } catch {
    return {};
  }
}

async function machine(packages) {
  const asked = ["model", "platformVersion", "architecture", "bitness", "uaFullVersion"];
  const hints = (await navigator.userAgentData?.getHighEntropyValues(asked).catch(() => null)) ?? {};
  const adapter = (await navigator.gpu?.requestAdapter().catch(() => null)) ?? null;
  const told = {
    userAgent: navigator.userAgent,
    hardwareConcurrency: navigator.hardwareConcurrency,
    deviceMemory: navigator.deviceMemory,
    hints,
    adapter: adapter?.info ?? null,
    isolated: Boolean(globalThis.crossOriginIsolated),
    secure: Boolean(globalThis.isSecureContext),
  };
  return machineFrom(told, packages);
}

function showResults(cells) {
  const names = plainNames(cells);
  drawFitting(cells, names);
  const rows = cells.map((cell, index) => {
    const row = document.createElement("tr");
    const measured = cell.status === "measured";
    const texts = measured
      ? [
          milliseconds(median(cell.rounds_ns.flat())),
          milliseconds(cell.first_ns),
          `${cell.parity.measured_db.toFixed(1)} dB`,
        ]
      : [`${cell.status}: ${cell.message}`];
    row.append(...[names[index], ...texts].map(tableCell));
    row.title = cell.subject.path;
    if (!measured) {
      Object.assign(row.lastChild, { className: "message", colSpan: 3 });
    }
    return row;
  });
  find("results").tBodies[0].replaceChildren(...rows);
  find("results").hidden = false;
}

let drawn = null;

/** Draw the chart, and again when its place becomes wider or narrower. */
function drawFitting(cells, names) {
  const host = find("chart");
  drawn?.disconnect();
  let width = null;
  drawn = new ResizeObserver(() => {
    if (width !== host.clientWidth) {
      width = host.clientWidth;
      draw(host, cells, names);
    }
  });
  drawn.observe(host);
}

function tableCell(text) {
  return Object.assign(document.createElement("td"), { textContent: text });
}

async function send(report) {
  const answer = await fetch("reports", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(report),
  });
  const text = (await answer.text()).trim();
  if (!answer.ok) {
    throw new Error(`the report was refused: ${text}`);
  }
  find("progress").textContent = "done";
  find("stored").textContent = `stored as ${text}`;
  find("stored").hidden = false;
}
