/**
 * The page of examples/v86 in a browser: Linux boots there, takes commands and the counters on the page move; what can't be
 * booted is told with what was expected and what was found. Screenshots go to the temporary folder, for people to look at.
 */
import { mkdirSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page, Route } from "playwright-core";
import { createServer, type ViteDevServer } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GuestMissing } from "./apt";
import { type Browser, missingBrowser, startBrowser } from "./browser";
import { findGuestFiles } from "./packages";
import { BOOT_PATIENCE, LIMIT, PATIENCE } from "./patience";

const configFile = fileURLToPath(new URL("../../../examples/v86/vite.config.ts", import.meta.url));
const files = findGuestFiles();
const missing = files instanceof GuestMissing ? files.message : missingBrowser();
const MIB = 1024 * 1024;
/** For what the page shows. */
const WAIT = { timeout: PATIENCE };
const SHOTS = join(tmpdir(), "virtq-v86-page");

it("the guest's packages and a browser are there", ({ skip }) => {
  if (missing !== undefined) console.warn(missing);
  skip(missing !== undefined && process.env.CI === undefined, missing);
  expect(missing).toBeUndefined();
});

describe.skipIf(missing !== undefined)("the page", { timeout: LIMIT }, () => {
  let server: ViteDevServer | undefined;
  let browser: Browser | undefined;
  let url = "";

  beforeAll(async () => {
    const quiet = { logLevel: "warn", configLoader: "runner" } as const;
    server = await createServer({ configFile, ...quiet, server: { port: 0 } });
    await server.listen();
    url = server.resolvedUrls?.local[0] ?? "";
    browser = await startBrowser();
  }, LIMIT);

  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  async function open(): Promise<Page> {
    if (browser === undefined) throw new Error("there is no browser");
    return browser.context.newPage();
  }

  describe("with a guest", () => {
    const errors: string[] = [];
    let opened: Page | undefined;

    beforeAll(async () => {
      opened = await open();
      opened.on("pageerror", ({ message }) => errors.push(message));
      opened.on("console", (message) => {
        if (message.type() === "error") errors.push(message.text());
      });
      await opened.goto(url);
      await opened.waitForSelector('#status[data-state="running"]', { timeout: BOOT_PATIENCE });
    }, LIMIT);

    afterAll(() => opened?.close());

    function page(): Page {
      if (opened === undefined) throw new Error("there is no page");
      return opened;
    }

    const text = () => page().locator("#screen").innerText();
    /** Types a command, and waits for what it must print. */
    async function type(command: string, printed: RegExp): Promise<void> {
      await page().fill("#command", command);
      await page().press("#command", "Enter");
      await expect.poll(text, WAIT).toMatch(printed);
    }
    async function press(button: string, printed: RegExp): Promise<void> {
      await page().getByRole("button", { name: button }).click();
      await expect.poll(text, WAIT).toMatch(printed);
    }
    /** A counter as the page shows it. */
    async function counter(device: string, name: string): Promise<number> {
      const value = page().locator(`[data-device="${device}"] [data-counter="${name}"]`);
      return Number(await value.getAttribute("data-value"));
    }
    const layouts = () =>
      page().$$eval("[data-device]", (cards) =>
        cards.map(({ dataset }) => [dataset.device, dataset.layout, dataset.phase].join(" ")),
      );

    it("shows packed rings that Linux has negotiated, and why", async () => {
      expect(await layouts()).toEqual([
        "disk packed live",
        "network packed live",
        "entropy packed live",
        "console packed live",
      ]);
      const disk = page().locator('[data-device="disk"]');
      expect(await disk.locator(".reason").innerText()).toContain(
        "VIRTIO_F_RING_PACKED (bit 34) was negotiated",
      );
      expect(await disk.locator(".reason").innerText()).toContain("The firmware had it split.");
      expect(await disk.locator('li[data-negotiated="true"]').allInnerTexts()).toContain("RING_PACKED");
      expect(await disk.locator('li[data-negotiated="false"]').allInnerTexts()).toContain("IN_ORDER");
    });

    it("takes commands on a console that is as wide as it is shown", async () => {
      const before = await counter("console", "chains");
      await type("uname -sr", /^Linux 6\.1\.0-\d+-686$/m);
      await expect.poll(() => counter("console", "chains"), WAIT).toBeGreaterThan(before);
      await type("stty size", /^\d+ 1\d\d$/m);
    });

    it("counts what the buttons do", async () => {
      await press("Read the disk", /real/);
      await expect.poll(() => counter("disk", "bytesFromDevice"), WAIT).toBeGreaterThanOrEqual(32 * MIB);
      await press("Ping", /20 packets transmitted, 20 packets received/);
      await expect.poll(() => counter("network", "bytesToDevice"), WAIT).toBeGreaterThan(20 * 1400);
      await press("Entropy", /^[0-9a-f]{64} {2}-$/m);
      await expect.poll(() => counter("entropy", "bytesFromDevice"), WAIT).toBeGreaterThanOrEqual(65_536);
      await press("Make a file system", /^\/dev\/vda .* \/mnt$/m);
      await expect.poll(() => counter("disk", "bytesToDevice"), WAIT).toBeGreaterThan(2 * MIB);
      for (const device of ["disk", "network", "console"]) {
        expect([await counter(device, "drops"), await counter(device, "violations")]).toEqual([0, 0]);
      }
    });

    it("lives through a guest that breaks the rules", async () => {
      await press("Break the rules", /128\+0 records out/);
      await expect.poll(() => counter("entropy", "violations"), WAIT).toBeGreaterThan(0);
      await page().getByRole("button", { name: "Ctrl C" }).click();
      await type("echo still $((6 * 7))", /^still 42$/m);
      expect(await counter("console", "violations")).toBe(0);
    });

    it.each([
      { width: 1280, height: 900, colorScheme: "light" },
      { width: 1280, height: 900, colorScheme: "dark" },
      { width: 400, height: 800, colorScheme: "light" },
      { width: 400, height: 800, colorScheme: "dark" },
    ] as const)("fits $width × $height, $colorScheme", async ({ width, height, colorScheme }) => {
      await page().setViewportSize({ width, height });
      await page().emulateMedia({ colorScheme });
      await expect.poll(() => page().evaluate(() => document.documentElement.scrollWidth), WAIT).toBe(width);
      mkdirSync(SHOTS, { recursive: true });
      const path = join(SHOTS, `${width}-${colorScheme}.png`);
      await page().screenshot({ path, fullPage: true });
      expect(statSync(path).size).toBeGreaterThan(10_000);
      console.log(path);
    });

    it("has had no error", () => {
      expect(errors).toEqual([]);
    });
  });

  describe("with what can't be booted", () => {
    const webPage = (route: Route) =>
      route.fulfill({ contentType: "text/html", body: "<!doctype html><p>Not here" });
    const absent = (route: Route) => route.fulfill({ status: 404, body: "" });
    const twice = (route: Route) => route.fulfill({ body: Buffer.alloc(262_144) });
    const renamed = async (route: Route) => {
      const response = await route.fetch();
      await route.fulfill({
        response,
        body: (await response.text()).replaceAll("register_device", "add_device"),
      });
    };

    it.each([
      [
        "a page for a kernel",
        "**/kernel.bzimage",
        webPage,
        "kernel.bzimage can’t be booted",
        "HdrS",
        "a web page of 26 bytes",
      ],
      ["no initrd", "**/initrd.cpio", absent, "initrd.cpio can’t be booted", "busybox", "HTTP 404"],
      [
        "a BIOS of 256 KiB",
        "**/bios.bin",
        twice,
        "bios.bin can’t be booted",
        "65536 or 131072 bytes",
        "262144 bytes",
      ],
      [
        "another v86",
        "**/deps/v86.js*",
        renamed,
        "Another v86",
        "v86 0.5.462",
        "lacks v86.cpu.devices.pci.register_device",
      ],
    ])(
      "%s: says what was expected and what was found",
      async (_, pattern, answer, title, expected, found) => {
        const page = await open();
        await page.route(pattern, answer);
        await page.goto(url);
        const failure = page.locator("#failure");
        await failure.waitFor({ state: "visible", ...WAIT });
        expect(await failure.locator("h2").innerText()).toBe(title);
        expect(await failure.locator("#expected").innerText()).toContain(expected);
        expect(await failure.locator("#found").innerText()).toContain(found);
        expect(await page.locator("#machine").isVisible()).toBe(false);
        await page.screenshot({ path: join(SHOTS, `${title.split(" ")[0]}.png`) });
        await page.close();
      },
    );
  });
});
