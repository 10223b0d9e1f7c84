/** Page of `styleexport serve`: paints with the files, measures them and sends the samples. */

import { bytesOf, find, showTrouble } from "./host.js";
import { startMeasuring } from "./measuring.js";
import { startPainting } from "./painting.js";
import { Runtimes } from "./runtimes.js";

async function fetchJob() {
  return JSON.parse(new TextDecoder().decode(await bytesOf("job.json")));
}

/** Return the plan of the job with the settings of the page's address, which take precedence. */
function settled(plan, query) {
  const threads = Number(query.get("threads")) || plan.threads;
  return {
    ...plan,
    auto: plan.auto || query.get("auto") === "1",
    backend: query.get("backend") === "webgpu" ? "webgpu" : plan.backend,
    threads: threads ? Math.min(threads, navigator.hardwareConcurrency || 1) : null,
  };
}

function defaultThreads() {
  return Math.min(4, Math.ceil((navigator.hardwareConcurrency || 1) / 2));
}

/** Show the browser's capabilities. */
function showAbilities() {
  const threads = globalThis.crossOriginIsolated ? navigator.hardwareConcurrency : 1;
  const abilities = [
    [threads > 1 ? `${threads} threads` : "threads", threads > 1],
    ["camera", Boolean(navigator.mediaDevices?.getUserMedia)],
  ];
  for (const [name, there] of abilities) {
    const item = document.createElement("li");
    item.className = there ? "yes" : "no";
    item.textContent = name;
    item.setAttribute("aria-label", `${name}: ${there ? "yes" : "no"}`);
    find("abilities").append(item);
  }
  if (!globalThis.isSecureContext) {
    find("advice").textContent =
      "This address is plain http, so the browser allows no threads, no WebGPU and no camera. " +
      "Serve with --cert and --key, or connect the phone by cable: the terminal says how.";
    find("advice").hidden = false;
  }
}

async function start() {
  const query = new URLSearchParams(location.search);
  const job = await fetchJob();
  job.plan = settled(job.plan, query);
  document.title = `${job.network.name} · styleexport`;
  find("network").textContent = job.network.name;
  find("summary").textContent = job.network.summary;
  showAbilities();
  const { backend, threads } = job.plan;
  const runtimes = new Runtimes(backend, threads ?? defaultThreads(), job.packages);
  const page = { fetchJob, rest: async () => undefined };
  const measuring = startMeasuring(job, runtimes, page);
  if (job.plan.auto) {
    await measuring.run();
  } else {
    page.rest = await startPainting(job, runtimes);
  }
}

/** Report a failure of the page to the server, which then stops waiting for a report. */
async function sendTrouble(error) {
  const body = JSON.stringify({ message: String(error?.message ?? error).slice(0, 300) });
  await fetch("trouble", { method: "POST", headers: { "Content-Type": "application/json" }, body });
}

try {
  await start();
} catch (error) {
  showTrouble(error);
  await sendTrouble(error);
}
