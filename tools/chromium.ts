/** Where the tests' Chromium is, how it starts and how it gets there. Playwright's own browsers are never downloaded. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

/** Debian's Chromium; `CHROMIUM_PATH` names another. */
export const chromiumPath: string = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";

/** Switches that keep Chromium off the network and let it run as root without a GPU. */
export const chromiumArguments: readonly string[] = [
  "--no-sandbox",
  "--no-first-run",
  "--no-default-browser-check",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-default-apps",
  "--disable-dev-shm-usage",
  "--disable-extensions",
  "--disable-gpu",
  "--disable-quic",
  "--disable-sync",
  "--metrics-recording-only",
];

/**
 * Makes sure that Chromium is installed: on Debian, as root, it installs the package `chromium`.
 *
 * @throws {Error} saying what is missing and how to get it
 */
export function ensureChromium(): void {
  if (existsSync(chromiumPath)) return;
  const isDebian = existsSync("/etc/debian_version") && existsSync("/usr/bin/apt-get");
  if (process.env.CHROMIUM_PATH !== undefined || !isDebian || process.getuid?.() !== 0) {
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

function apt(...argumentList: readonly string[]): void {
  const { status } = spawnSync("apt-get", ["-q", ...argumentList], {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  });
  if (status !== 0) throw new Error(`apt-get ${argumentList.join(" ")} failed: chromium is needed for the tests`);
}
