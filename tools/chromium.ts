/** Where the tests' Chromium is, how it starts and how it gets there. Playwright's own browsers are never downloaded. */
import { existsSync } from "node:fs";
import { apt, canInstall } from "./debian.ts";

/** Debian's Chromium; `CHROMIUM_PATH` names another. */
export const chromiumPath: string = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";

/** Switches that keep Chromium off the network and let it run as root, with WebGPU in software. */
export const chromiumArguments: readonly string[] = [
  "--no-sandbox",
  "--no-first-run",
  "--no-default-browser-check",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-default-apps",
  "--disable-dev-shm-usage",
  "--disable-extensions",
  "--disable-quic",
  "--disable-sync",
  "--enable-unsafe-webgpu",
  "--metrics-recording-only",
];

/**
 * Makes sure that Chromium is installed: on Debian, as root, it installs the package `chromium`.
 *
 * @throws {Error} saying what is missing and how to get it
 */
export function ensureChromium(): void {
  if (existsSync(chromiumPath)) return;
  if (process.env.CHROMIUM_PATH !== undefined || !canInstall()) {
    throw new Error(
      `no browser at ${chromiumPath}: the tests run in headless Chromium too. ` +
        "Install it (Debian: `sudo apt-get install chromium`) or name one in CHROMIUM_PATH; " +
        "`npm run test:node` runs the Node half alone.",
    );
  }
  console.log(`no browser at ${chromiumPath}: installing Debian's chromium`);
  apt("update");
  apt("install", "-y", "--no-install-recommends", "chromium");
  if (!existsSync(chromiumPath)) throw new Error(`Debian's chromium is installed, but not at ${chromiumPath}`);
}
