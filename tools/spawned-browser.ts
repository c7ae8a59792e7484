/** Firefox and WebKit as Debian ships them: what Vitest has to know to run tests in a browser that it only starts. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineBrowserProvider } from "@vitest/browser";
import type { BrowserProvider, BrowserProviderOption } from "vitest/node";
import { apt, canInstall } from "./debian.ts";

/** A browser that is started with the address of a page. */
interface SpawnedBrowser {
  /** Debian's packages, and what they install. */
  readonly packages: readonly string[];
  readonly executables: readonly string[];
  /** The command for a fresh profile folder. */
  command(profile: string): readonly [program: string, ...argumentList: string[]];
  readonly environment?: Readonly<Record<string, string>>;
  /** Files of the profile. */
  readonly files?: Readonly<Record<string, string>>;
}

/** The names of the browsers, which are the names of their test projects. */
export const spawnedBrowserNames = ["firefox", "webkit"] as const;

/** One of `spawnedBrowserNames`. */
export type SpawnedBrowserName = (typeof spawnedBrowserNames)[number];

const firefoxPath = process.env.FIREFOX_PATH ?? "/usr/bin/firefox-esr";
const webkitPath = process.env.WEBKIT_PATH ?? "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser";

/** Settings that keep Firefox off the network and from asking questions. */
const firefoxSettings = {
  "app.update.enabled": false,
  "browser.shell.checkDefaultBrowser": false,
  "browser.startup.homepage_override.mstone": "ignore",
  "datareporting.policy.dataSubmissionEnabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
};

const browsers: Readonly<Record<SpawnedBrowserName, SpawnedBrowser>> = {
  firefox: {
    packages: ["firefox-esr"],
    executables: [firefoxPath],
    command: (profile) => [firefoxPath, "--headless", "--no-remote", "--profile", profile],
    files: {
      "user.js": Object.entries(firefoxSettings)
        .map(([name, value]) => `user_pref("${name}", ${JSON.stringify(value)});\n`)
        .join(""),
    },
  },
  webkit: {
    // The driver brings the browser that it drives; a display is needed, and may be virtual.
    packages: ["webkit2gtk-driver", "xvfb", "xauth"],
    executables: [webkitPath, "/usr/bin/xvfb-run"],
    command: () => ["/usr/bin/xvfb-run", "--auto-servernum", webkitPath, "--private"],
    // Safari has shared memory in isolated pages without being asked.
    environment: { JSC_useSharedArrayBuffer: "1" },
  },
};

/**
 * Makes sure that a browser is installed: on Debian, as root, it installs what is missing.
 *
 * @throws {Error} saying what is missing and how to get it
 */
export function ensureSpawnedBrowser(name: SpawnedBrowserName): void {
  const { packages, executables } = browsers[name];
  const missing = (): readonly string[] => executables.filter((path) => !existsSync(path));
  if (missing().length === 0) return;
  const variable = `${name.toUpperCase()}_PATH`;
  if (process.env[variable] !== undefined || !canInstall()) {
    throw new Error(
      `${missing().join(", ")} missing: the tests run in ${name} too. Install it (Debian: ` +
        `\`sudo apt-get install ${packages.join(" ")}\`) or name another in ${variable}; ` +
        "`npm run test:node` runs the Node half alone.",
    );
  }
  console.log(`${missing().join(", ")} missing: installing Debian's ${packages.join(", ")}`);
  apt("update");
  apt("install", "-y", "--no-install-recommends", ...packages);
  if (missing().length > 0) throw new Error(`${packages.join(", ")} are installed, but not at ${missing().join(", ")}`);
}

/** Vitest's provider for a browser. */
export function spawnedBrowser(name: SpawnedBrowserName): BrowserProviderOption {
  return defineBrowserProvider({
    name,
    supportedBrowser: [name],
    providerFactory: () => new SpawnedBrowserProvider(name),
  });
}

/** Opens a page in a browser process of its own, which ends with the run. */
class SpawnedBrowserProvider implements BrowserProvider {
  readonly name: SpawnedBrowserName;
  readonly supportsParallelism = false;
  #running: { readonly child: ChildProcess; readonly profile: string } | null = null;

  constructor(name: SpawnedBrowserName) {
    this.name = name;
  }

  getCommandsContext(): Record<string, unknown> {
    return {};
  }

  async openPage(_sessionId: string, url: string): Promise<void> {
    await this.close();
    const { command, environment, files = {} } = browsers[this.name];
    const profile = mkdtempSync(join(tmpdir(), `mlx-ts-${this.name}-`));
    for (const [file, text] of Object.entries(files)) writeFileSync(join(profile, file), text);
    const [program, ...argumentList] = command(profile);
    // In a process group of its own, so that the browser's children end with it.
    const child = spawn(program, [...argumentList, url], {
      stdio: "ignore",
      detached: true,
      env: { ...process.env, ...environment, HOME: profile },
    });
    this.#running = { child, profile };
  }

  async close(): Promise<void> {
    if (!this.#running) return;
    const { child, profile } = this.#running;
    this.#running = null;
    if (child.pid !== undefined && child.exitCode === null) {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      process.kill(-child.pid, "SIGKILL");
      await ended;
    }
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
