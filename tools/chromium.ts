/** Where the tests' Chromium is and how it starts. Playwright's own browsers are never used or downloaded. */

/** Debian's Chromium; `CHROMIUM_PATH` names another. */
export const chromiumPath: string = process.env["CHROMIUM_PATH"] ?? "/usr/bin/chromium";

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
