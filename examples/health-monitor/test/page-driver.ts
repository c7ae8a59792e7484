/** The app as its tests drive it: built, served, and open in a headless browser. */
import { type Browser, chromium, type Page } from "playwright";
import { chromiumArguments, chromiumPath } from "../../../tools/chromium.ts";
import { buildPage, type ServedPage, servePage } from "../web/serve.ts";

/** The served app and a browser for it. */
export interface Driver {
  readonly browser: Browser;
  readonly address: string;
  close(): Promise<void>;
}

/** Builds and serves the app, and starts a browser. */
export async function startDriver(): Promise<Driver> {
  await buildPage();
  const served: ServedPage = await servePage(0);
  const browser = await chromium.launch({ executablePath: chromiumPath, args: [...chromiumArguments] });
  return {
    browser,
    address: served.address,
    async close() {
      await browser.close();
      await served.close();
    },
  };
}

/** Opens the app, and waits for its first recording. Pictures of the trace are counted in `data-pictures` of the canvas. */
export async function openApp(page: Page, address: string): Promise<void> {
  await page.addInitScript(() => {
    const { clearRect } = CanvasRenderingContext2D.prototype;
    CanvasRenderingContext2D.prototype.clearRect = function (...rectangle) {
      const { dataset } = this.canvas;
      dataset.pictures = String(Number(dataset.pictures ?? 0) + 1);
      clearRect.apply(this, rectangle);
    };
  });
  await page.goto(address);
  await page.locator("#loading").waitFor({ state: "hidden" });
}

/** Pictures of the trace that have been drawn so far. */
export async function picturesOf(page: Page): Promise<number> {
  return Number(await page.locator("#trace").getAttribute("data-pictures"));
}

/** Has the app learn in `passes` passes; returns when it has learned, which takes a software GPU on a busy machine a while. */
export async function learn(page: Page, passes: number): Promise<void> {
  await page.getByLabel("Passes").fill(String(passes));
  await page.getByRole("button", { name: /^Learn/ }).click();
  await page.getByRole("button", { name: "Learn anew" }).waitFor({ timeout: 150_000 });
}

/** Opens a CSV file with this content, as if the user had chosen it. */
export async function openCsv(page: Page, name: string, content: string | Buffer): Promise<void> {
  await page.locator("#file").setInputFiles({ name, mimeType: "text/csv", buffer: Buffer.from(content) });
}

/** In the page: a strap in the place of Web Bluetooth, which notifies `count` times in quick succession and is gone. */
export function fakeStrap(count: number): void {
  const characteristic = Object.assign(new EventTarget(), {
    value: new DataView(new ArrayBuffer(0)),
    async startNotifications() {
      for (let k = 0; k < count; k++) {
        setTimeout(
          () => {
            characteristic.value = new DataView(Uint8Array.of(0, 70 + Math.round(4 * Math.sin(k / 5))).buffer);
            characteristic.dispatchEvent(new Event("characteristicvaluechanged"));
          },
          300 + 5 * k,
        );
      }
      setTimeout(() => device.dispatchEvent(new Event("gattserverdisconnected")), 4000);
    },
  });
  const service = { getCharacteristic: async () => characteristic };
  const server = { getPrimaryService: async () => service };
  const device = Object.assign(new EventTarget(), {
    name: "Test strap",
    gatt: { connect: async () => server, disconnect: () => {} },
  });
  Object.defineProperty(navigator, "bluetooth", { value: { requestDevice: async () => device }, configurable: true });
}

/** In the page: how many unfinished trainings the browser keeps. */
export async function countKeptTrainings(): Promise<number> {
  const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("health-monitor");
  let count = 0;
  for await (const entry of folder.values()) {
    if (!(entry instanceof FileSystemDirectoryHandle)) continue;
    for await (const name of entry.keys()) if (name === "training.json") count++;
  }
  return count;
}
