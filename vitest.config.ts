/** How the tests run: the same files in Node and in a cross-origin isolated Chromium, those of the GPU on two more drivers. */
import { fileURLToPath } from "node:url";
import { playwright } from "@vitest/browser-playwright";
import { defineConfig, type TestProjectInlineConfiguration, type ViteUserConfig } from "vitest/config";
import { chromiumArguments, chromiumPath } from "./tools/chromium.ts";
import { CountReporter } from "./tools/count-reporter.ts";
import { type SpawnedBrowserName, spawnedBrowser } from "./tools/spawned-browser.ts";
import { vulkanDrivers } from "./tools/vulkan.ts";

const source = (entry: string): string => fileURLToPath(new URL(`./src/${entry}`, import.meta.url));

const packageSource = fileURLToPath(new URL("./packages/$1/src", import.meta.url));

const alias = [
  { find: /^mlx-ts$/, replacement: source("index.ts") },
  { find: /^mlx-ts\/(nn|optimizers|train|webgpu|worker)$/, replacement: source("$1/index.ts") },
  { find: /^@mlx-ts\/([a-z]+)$/, replacement: `${packageSource}/index.ts` },
  { find: /^@mlx-ts\/([a-z]+)\/([a-z-]+)$/, replacement: `${packageSource}/$2.ts` },
];

/** What the packages' tests load in Chromium from node_modules. */
const packagesInBrowsers = ["comlink", "@preact/signals-core", "react", "react-dom/client", "uplot", "vue"];

/** Under these headers a page gets a real `SharedArrayBuffer`, so that WebAssembly threads run in the browser's tests. */
const crossOriginIsolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};

/** Tests of the GPU backend, and its documentation; in Node they run once per software driver. */
const gpuTests = "test/{webgpu/**/*,.generated/gpu-documentation}.test.ts";

/** Tests of whole pages: in Node, they build and serve one and drive it in a browser. */
const pageTests = "{examples,packages}/*/test/**/*.page.test.ts";

const gpuProject = (name: keyof typeof vulkanDrivers): TestProjectInlineConfiguration => ({
  extends: true,
  test: { name, environment: "node", include: [gpuTests], env: { VK_ICD_FILENAMES: vulkanDrivers[name] } },
});

/** The tests in which engines can differ, and not those of pure arithmetic: Firefox and WebKit take long to start a page. */
const engineTests =
  "{test/{array,backends,compiler,nn,optimizers,train,transforms,worker},packages/actor/test}/**/*.test.ts";

const browserProject = (name: SpawnedBrowserName): TestProjectInlineConfiguration => ({
  extends: true,
  server: { headers: crossOriginIsolation },
  optimizeDeps: { include: ["comlink"] },
  // WebKit has no `using` yet.
  oxc: { target: "es2022" },
  test: {
    name,
    include: [engineTests],
    exclude: ["**/*.node.test.ts"],
    browser: {
      enabled: true,
      // On a busy machine a browser starts slowly.
      connectTimeout: 240_000,
      // Vitest's own page would compute as much as the tests do.
      ui: false,
      screenshotFailures: false,
      instances: [{ browser: name }],
      provider: spawnedBrowser(name),
    },
  },
});

const config: ViteUserConfig = defineConfig({
  resolve: { alias },
  test: {
    // For what hangs, not for what is slow: the machine may have other work.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    reporters: ["default", new CountReporter()],
    projects: [
      {
        extends: true,
        test: {
          name: "node",
          environment: "node",
          include: ["{test,packages/*/test,examples/*/test}/**/*.test.ts"],
          exclude: [gpuTests, pageTests],
        },
      },
      {
        extends: true,
        test: { name: "pages", environment: "node", include: [pageTests] },
      },
      gpuProject("lavapipe"),
      gpuProject("swiftshader"),
      {
        extends: true,
        server: { headers: crossOriginIsolation },
        // Found late, they would make the page load anew in the middle of a test.
        optimizeDeps: { include: [...packagesInBrowsers] },
        test: {
          name: "chromium",
          include: ["{test,packages/*/test}/**/*.test.ts"],
          exclude: ["**/*.node.test.ts", pageTests],
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            instances: [{ browser: "chromium" }],
            provider: playwright({
              launchOptions: { executablePath: chromiumPath, args: [...chromiumArguments] },
            }),
          },
        },
      },
      browserProject("firefox"),
      browserProject("webkit"),
    ],
  },
});

export default config;
