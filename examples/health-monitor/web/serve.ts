/** Builds the page and serves it to this machine alone. */
import { build, preview } from "vite";
import config from "./vite.config.ts";

/** The page, being served. */
export interface ServedPage {
  readonly address: string;
  close(): Promise<void>;
}

/** Builds the page. */
export async function buildPage(): Promise<void> {
  await build(config);
}

/** Serves the built page on 127.0.0.1, on `port` or the next one that is free; 0 takes any. */
export async function servePage(port: number): Promise<ServedPage> {
  const server = await preview({ ...config, preview: { ...config.preview, port } });
  const [address = ""] = server.resolvedUrls?.local ?? [];
  return { address, close: () => server.close() };
}
