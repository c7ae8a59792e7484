/** The software GPUs of the tests in Node: Vulkan drivers for Dawn, where they are and how they get there. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { apt, canInstall } from "./debian.ts";

/** Files that describe the drivers to Vulkan's loader. lavapipe has 16-bit floats; SwiftShader, which comes with Debian's chromium, has none. */
export const vulkanDrivers: { readonly lavapipe: string; readonly swiftshader: string } = {
  lavapipe: process.env.LAVAPIPE_ICD ?? "/usr/share/vulkan/icd.d/lvp_icd.json",
  swiftshader: process.env.SWIFTSHADER_ICD ?? "/usr/lib/chromium/vk_swiftshader_icd.json",
};

/** Mesa before this version has a lavapipe that Dawn refuses. */
const oldestMesa = 23;

/**
 * Makes sure that lavapipe is installed: on Debian, as root, it installs the package `mesa-vulkan-drivers`, from backports
 * where the release's own is too old.
 *
 * @throws {Error} saying what is missing and how to get it
 */
export function ensureLavapipe(): void {
  if (process.env.LAVAPIPE_ICD === undefined && mesaVersion() < oldestMesa && canInstall()) {
    console.log("no lavapipe that Dawn takes: installing Debian's mesa-vulkan-drivers");
    apt("update");
    apt("install", "-y", "--no-install-recommends", "mesa-vulkan-drivers", "libvulkan1");
    if (mesaVersion() < oldestMesa) installFromBackports();
  }
  if (existsSync(vulkanDrivers.lavapipe) && (process.env.LAVAPIPE_ICD !== undefined || mesaVersion() >= oldestMesa))
    return;
  throw new Error(
    `no Vulkan driver at ${vulkanDrivers.lavapipe}, or one before Mesa ${oldestMesa}: the GPU backend is tested on lavapipe. ` +
      "Install Debian's mesa-vulkan-drivers (Debian 12: from bookworm-backports), or name its file in LAVAPIPE_ICD.",
  );
}

/** The major version of Debian's Mesa drivers; 0 without them. */
function mesaVersion(): number {
  const { stdout } = spawnSync("dpkg-query", ["-W", "mesa-vulkan-drivers"], { encoding: "utf8" });
  return Number(/\t(?:\d+:)?(\d+)/.exec(stdout ?? "")?.[1] ?? 0);
}

function installFromBackports(): void {
  const codename = /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "";
  const suite = `${codename}-backports`;
  const folder = "/etc/apt/sources.list.d";
  const sources = readdirSync(folder)
    .filter((file) => file.endsWith(".sources"))
    .map((file) => readFileSync(join(folder, file), "utf8"));
  const mirror = sources
    .map((text) => /^URIs: *(\S+\/debian)\/?$/m.exec(text)?.[1])
    .find((found) => found !== undefined);
  if (!sources.some((text) => text.includes(suite)) && mirror !== undefined) {
    const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
    const lines = [
      "Types: deb",
      `URIs: ${mirror}`,
      `Suites: ${suite}`,
      "Components: main",
      `Signed-By: ${keyring}`,
      "",
    ];
    writeFileSync(join(folder, "mlx-ts-backports.sources"), lines.join("\n"));
    apt("update");
  }
  apt("install", "-y", "--no-install-recommends", "-t", suite, "mesa-vulkan-drivers", "libvulkan1");
}
