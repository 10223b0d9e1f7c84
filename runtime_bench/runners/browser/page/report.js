/** Latency report of the page: the machine, as far as the browser exposes it, and the samples. */

import { clockResolutionNs, warmUpInWords } from "./protocol.js";

const GIBIBYTE = 2 ** 30;
// (module (func (result v128) i32.const 0 i8x16.splat)): valid where there is SIMD.
const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11];

/** Return the operating system in a user agent string. */
export function systemFrom(userAgent) {
  const patterns = [
    [/Android (\d+(?:\.\d+)*)/, "Android"],
    [/(?:iPhone|CPU) OS (\d+(?:_\d+)*)/, "iOS"],
    [/CrOS \S+ (\d+(?:\.\d+)*)/, "ChromeOS"],
    [/Windows NT (\d+(?:\.\d+)*)/, "Windows"],
    [/Mac OS X (\d+(?:[_.]\d+)*)/, "macOS"],
    [/(Linux)/, "Linux"],
  ];
  for (const [pattern, name] of patterns) {
    const match = pattern.exec(userAgent);
    if (match) {
      return match[1] === name ? name : `${name} ${match[1].replaceAll("_", ".")}`;
    }
  }
  return "unknown";
}

/** Return the browser in a user agent string: [name, version]. */
export function browserFrom(userAgent) {
  const names = [["Edg", "Edge"], ["OPR", "Opera"], ["SamsungBrowser", "Samsung Internet"], ["Firefox", "Firefox"], ["FxiOS", "Firefox"], ["CriOS", "Chrome"], ["HeadlessChrome", "Chrome"], ["Chrome", "Chrome"]];
  for (const [token, name] of names) {
    const match = new RegExp(`${token}/([\\d.]+)`).exec(userAgent);
    if (match) {
      return [name, match[1]];
    }
  }
  const safari = /Version\/([\d.]+).* Safari\//.exec(userAgent);
  return safari ? ["Safari", safari[1]] : ["browser", "unknown"];
}

/**
 * Return the machine, as far as the browser exposes it.
 *
 * @param told userAgent, hardwareConcurrency, deviceMemory (GiB, rounded by the browser), hints
 *   (high-entropy client hints or {}), adapter (WebGPU's info or null), isolated, secure.
 * @param {Record<string, string>} versions Versions of the packages.
 */
export function machineFrom(told, versions) {
  const { hints, adapter } = told;
  const [browser, version] = browserFrom(told.userAgent);
  const system = hints.platform
    ? `${hints.platform} ${hints.platformVersion ?? ""}`.trim()
    : systemFrom(told.userAgent);
  const mobile = /(iPhone|iPad)/.exec(told.userAgent);
  const gpu = adapter
    ? [adapter.vendor, adapter.architecture, adapter.description].filter(Boolean).join(" ")
    : "";
  const features = {
    "wasm-simd": WebAssembly.validate(new Uint8Array(SIMD)),
    "cross-origin-isolated": told.isolated,
    "secure-context": told.secure,
    webgpu: Boolean(adapter),
  };
  return {
    device: words(hints.model || mobile?.[1] || system.split(" ")[0]),
    os: words(system),
    processor: words([hints.architecture, hints.bitness].filter(Boolean).join(" ") || "unknown"),
    cores: told.hardwareConcurrency ?? 0,
    memory_bytes: Math.round((told.deviceMemory ?? 0) * GIBIBYTE),
    accelerators: gpu ? [words(gpu)] : [],
    features: Object.keys(features).filter((name) => features[name]),
    versions: { [browser]: words(hints.uaFullVersion || version), ...versions },
  };
}

/** Return a text as one line of at most 200 characters. */
function words(text) {
  return String(text).replace(/\s+/g, " ").slice(0, 200);
}

/** Return the battery state, where the browser exposes it. */
export function stateFrom(battery) {
  return battery ? { battery_percent: Math.round(battery.level * 100), charging: battery.charging } : {};
}

/**
 * Return the report.
 *
 * @param job Job of the server: nonce, version, plan.
 * @param parts created (ISO 8601), machine, before, after, now (the clock), cells.
 */
export function reportOf(job, { created, machine, before, after, now, cells }) {
  const { plan } = job;
  return {
    schema_version: job.schema_version,
    harness: { name: "browser", version: job.version, commit: job.commit },
    created,
    nonce: job.nonce,
    command: "the page of styleexport serve",
    machine,
    before,
    after,
    protocol: {
      rounds: plan.rounds,
      seconds: plan.seconds,
      min_samples: plan.min_samples,
      warm_up: warmUpInWords(plan),
      interleaved: true,
      own_process: false,
      clock: "performance.now",
      clock_resolution_ns: clockResolutionNs(now),
    },
    cells,
  };
}

/** Return the requested settings that are not defaults. */
export function requestedOf(plan) {
  return {
    ...(plan.backend === "wasm" ? {} : { backend: plan.backend }),
    ...(plan.threads === null ? {} : { threads: String(plan.threads) }),
  };
}
