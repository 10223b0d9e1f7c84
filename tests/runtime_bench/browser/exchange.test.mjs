/**
 * Reports in the exchange folder: every language writes one and reads those of the others.
 *
 * The environment variable STYLEEXPORT_CONTRACT_EXCHANGE names the folder, which has a folder per
 * language.
 */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { reportOf } from "../../../runtime_bench/runners/browser/page/report.js";
import { misfit } from "./schema.mjs";

const ROOT = new URL("../../../", import.meta.url);
const FOLDER = process.env.STYLEEXPORT_CONTRACT_EXCHANGE;
const skip = FOLDER ? false : "no STYLEEXPORT_CONTRACT_EXCHANGE";

const jsonOf = (path) => JSON.parse(readFileSync(new URL(path, ROOT), "utf8"));
const FIXTURE = jsonOf("tests/contract/reports/phone.json");

/** Drop null fields: a field that may be left out may be null as well. */
function compact(value) {
  if (Array.isArray(value)) {
    return value.map(compact);
  }
  if (value === null || typeof value !== "object") {
    return value;
  }
  const fields = Object.entries(value).filter(([, inner]) => inner !== null);
  return Object.fromEntries(fields.map(([name, inner]) => [name, compact(inner)]));
}

/** Whether a value has all that an expected one holds; a writer may add defaults. */
function assertHolds(value, expected, path) {
  if (expected === null || typeof expected !== "object") {
    assert.deepEqual(value, expected, path);
    return;
  }
  for (const [name, inner] of Object.entries(expected)) {
    assertHolds(value[name], inner, `${path}.${name}`);
  }
}

test("a report of the page is written for the other languages", { skip }, () => {
  let time = 0;
  const job = jsonOf("tests/contract/jobs/job.json");
  const { created, machine, before, after, cells } = FIXTURE;
  const now = () => (time += 0.005);
  const report = reportOf(job, { created, machine, before, after, now, cells });
  const folder = join(FOLDER, "javascript");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "report.json.tmp"), JSON.stringify(report));
  renameSync(join(folder, "report.json.tmp"), join(folder, "report.json"));
});

test("reports of the other languages are read", { skip }, () => {
  const schema = jsonOf("docs/latency.schema.json");
  for (const language of readdirSync(FOLDER)) {
    const path = join(FOLDER, language, "report.json");
    if (existsSync(path)) {
      const report = JSON.parse(readFileSync(path, "utf8"));
      assert.equal(misfit(report, schema), null, language);
      assertHolds(compact(report).cells, compact(FIXTURE.cells), language);
      assertHolds(compact(report).machine, compact(FIXTURE.machine), language);
    }
  }
});
