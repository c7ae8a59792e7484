/** Installing Debian packages, where that is possible without asking anyone. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

/** Whether this is Debian and we are root. */
export function canInstall(): boolean {
  return existsSync("/etc/debian_version") && existsSync("/usr/bin/apt-get") && process.getuid?.() === 0;
}

/** Runs apt-get. @throws {Error} if it fails */
export function apt(...argumentList: readonly string[]): void {
  const { status } = spawnSync("apt-get", ["-q", ...argumentList], {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  });
  if (status !== 0) throw new Error(`apt-get ${argumentList.join(" ")} failed: the tests need what it installs`);
}
