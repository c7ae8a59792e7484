/** The response headers under which a page gets a real `SharedArrayBuffer`, as a Vite plugin. */
import type { Plugin } from "vite";

/** Serves every response cross-origin isolated, so that WebAssembly threads run in the browser's tests. */
export function crossOriginIsolation(): Plugin {
  return {
    name: "cross-origin-isolation",
    configureServer(server) {
      server.middlewares.use((_request, response, next) => {
        response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
        response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
        response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
        next();
      });
    },
  };
}
