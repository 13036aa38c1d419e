/**
 * The benchmark's page in a browser: the same suites from the same code, and the document that `virtq bench --json` prints. Held
 * against Node by checksums, never by times; and the races of test/shared between two of the browser's workers.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Ajv2020 from "ajv/dist/2020";
import type { Page } from "playwright-core";
import { createServer, type ViteDevServer } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BenchDocument, Row } from "../../../bench/result";
import type { RingAdapter } from "../../../bench/ring";
import { RINGS } from "../../../bench/rings/registry";
import { SHARED_NAMES } from "../../../bench/shared/names";
import { SUITES } from "../../../bench/suites";
import { SHAPES, workloadOf } from "../../../bench/workload";
import { RACES } from "../../shared/race";
import { type Browser, missingBrowser, startBrowser } from "../v86/browser";
import type {} from "./in-page";

const configFile = fileURLToPath(new URL("../../../bench/browser/vite.config.ts", import.meta.url));
const inPage = `/@fs${fileURLToPath(new URL("in-page.ts", import.meta.url))}`;
const schema = JSON.parse(
  readFileSync(new URL("../../../schema/virtq.bench-1.schema.json", import.meta.url), "utf8"),
);
const validate = new Ajv2020({ allErrors: true, allowUnionTypes: true }).compile(schema);
const missing = missingBrowser();
const PATIENCE = 10 * 60_000;
const SHOTS = join(tmpdir(), "virtq-bench-page");
const CHAINS = 3200;
/** Races of each kind; ten million of all. */
const MANY = 10_000_000 / RACES.length;

it("a browser is there", ({ skip }) => {
  if (missing !== undefined) console.warn(missing);
  skip(missing !== undefined && process.env.CI === undefined, missing);
  expect(missing).toBeUndefined();
});

describe.skipIf(missing !== undefined)("in a browser", { timeout: PATIENCE }, () => {
  let server: ViteDevServer | undefined;
  let browser: Browser | undefined;
  let url = "";

  beforeAll(async () => {
    const quiet = { logLevel: "warn", configLoader: "runner" } as const;
    server = await createServer({ configFile, ...quiet, server: { port: 0, hmr: false, watch: null } });
    await server.listen();
    url = server.resolvedUrls?.local[0] ?? "";
    browser = await startBrowser();
  }, PATIENCE);

  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  async function open(): Promise<Page> {
    if (browser === undefined) throw new Error("there is no browser");
    const page = await browser.context.newPage();
    page.setDefaultTimeout(PATIENCE);
    return page;
  }

  /** Measures suites with one worker for each ring, and gives the document. */
  async function measure(page: Page, suites: readonly string[]): Promise<BenchDocument> {
    for (const { name } of SUITES) await page.setChecked(`input[value="${name}"]`, suites.includes(name));
    await page.fill("#workers", "1");
    await page.click("#run");
    await page.waitForSelector('#status:not([data-state="running"]):not([data-state="idle"])');
    expect(await page.locator("#status").innerText()).toBe("Done.");
    return JSON.parse((await page.locator("#json").textContent()) ?? "") as BenchDocument;
  }

  const ringsOf = (rows: readonly Row[], status: Row["status"]) => [
    ...new Set(rows.filter((row) => row.status === status).map(({ ring }) => ring)),
  ];

  describe("an isolated page", () => {
    const errors: string[] = [];
    let page: Page;
    let found: BenchDocument;

    beforeAll(async () => {
      page = await open();
      page.on("pageerror", ({ message }) => errors.push(message));
      page.on("console", (message) => {
        if (message.type() === "error") errors.push(message.text());
      });
      await page.goto(url);
      await page.addScriptTag({ url: inPage, type: "module" });
      found = await measure(page, ["throughput", "device-in-js", "shared"]);
    }, PATIENCE);

    afterAll(() => page?.close());

    it("has a document that follows the schema, and names the engine and its clock", () => {
      validate(found);
      expect(validate.errors ?? []).toEqual([]);
      expect(found.environment.engine).toMatch(
        /^Chromium [\d.]+, V8, cross-origin isolated, clock of [\d.]+ µs$/,
      );
      expect(found.environment.cores).toBeGreaterThan(0);
      console.log(JSON.stringify(found.environment));
    });

    it("has measured every ring that needs no Node, with the checksum of its work, and says why not the others", () => {
      const named = new Set(
        SUITES.filter(({ name }) => ["throughput", "device-in-js", "shared"].includes(name)).flatMap(
          ({ rings }) => rings,
        ),
      );
      const here = [...RINGS.map(({ name }) => name), ...SHARED_NAMES].filter((name) => named.has(name));
      expect(ringsOf(found.rows, "measured").sort()).toEqual([...here].sort());
      expect(ringsOf(found.rows, "wrong")).toEqual([]);
      const others = found.rows.filter(({ status }) => status === "not measured");
      for (const { ring, why } of others)
        if (!here.includes(ring)) expect(why).toMatch(/a program in C is beyond a browser|which takes Node/);
      for (const { ring, group, column, status, ns } of found.rows)
        if (status === "measured") expect(ns, `${ring} ${group} ${column}`).toBeGreaterThan(0);
    });

    it("shows the same as tables", async () => {
      const captions = await page.locator("caption").allInnerTexts();
      expect(captions).toEqual([...new Set(found.rows.map(({ suite, group }) => `${suite}: ${group}`))]);
      const cell = page.locator("table").first().locator("tbody tr").first().locator("td").first();
      expect(await cell.innerText()).toContain((found.rows[0]?.ns ?? 0).toFixed(2));
      expect(await page.locator(".reasons li").allInnerTexts()).toContain(
        "native-plain-split: not measured: a program in C is beyond a browser",
      );
      expect(await page.locator("#environment").innerText()).toContain("Chromium");
    });

    it.each([
      { width: 1280, height: 900, colorScheme: "light" },
      { width: 400, height: 800, colorScheme: "light" },
      { width: 400, height: 800, colorScheme: "dark" },
    ] as const)("fits $width × $height, $colorScheme", async ({ width, height, colorScheme }) => {
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme });
      await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
      mkdirSync(SHOTS, { recursive: true });
      const path = join(SHOTS, `${width}-${colorScheme}.png`);
      await page.screenshot({ path, fullPage: true });
      console.log(path);
    });

    it("does the same work as Node: one checksum of each ring and workload", async () => {
      const names = [...RINGS.map(({ name }) => name), ...SHARED_NAMES];
      const choices = Object.values(SHAPES).flatMap((shape) => [1, 32].map((batch) => ({ shape, batch })));
      const there = await page.evaluate(
        ([names, choices, chains]) => window.inPage.checksums(names, choices, chains),
        [names, choices, CHAINS] as const,
      );
      const here: Record<string, number> = {};
      for (const name of names) {
        const adapter = RINGS.find((ring) => ring.name === name.replace(/^shared-/, "wasm-")) as RingAdapter;
        for (const choice of choices) {
          const ring = await adapter.open(workloadOf(choice));
          here[`${name} ${choice.shape.name} ${choice.batch}`] = (await ring.run(CHAINS)).checksum;
        }
      }
      expect(there).toEqual(here);
    });

    it.each(RACES)("loses no wake-up between two workers: $layout, $notify", async (kind) => {
      const tally = await page.evaluate(([kind, races]) => window.inPage.race(kind, races), [
        kind,
        MANY,
      ] as const);
      console.log(`${kind.layout}, ${kind.notify}: ${JSON.stringify(tally)}`);
      expect(tally.lost).toBe(0);
      expect(tally.notified + tally.lookedAgain + tally.both).toBe(tally.races);
    });

    it("has had no error", () => {
      expect(errors).toEqual([]);
    });
  });

  it("a page that is not isolated: longer samples, and no shared memory", async () => {
    const page = await open();
    await page.route("**/*", async (route) => {
      const response = await route.fetch();
      const {
        "cross-origin-opener-policy": _,
        "cross-origin-embedder-policy": __,
        ...headers
      } = response.headers();
      await route.fulfill({ response, headers });
    });
    await page.goto(url);
    expect(await page.locator("#isolation").innerText()).toContain("not cross-origin isolated");
    const found = await measure(page, ["boundary", "shared"]);
    validate(found);
    expect(validate.errors ?? []).toEqual([]);
    expect(found.environment.engine).toContain("not cross-origin isolated");
    expect(ringsOf(found.rows, "wrong")).toEqual([]);
    for (const { ring, status, why } of found.rows) {
      expect(status).toBe(ring.startsWith("shared-") ? "not measured" : "measured");
      if (status !== "measured") expect(why).toContain("not cross-origin isolated");
    }
    await page.close();
  });
});
