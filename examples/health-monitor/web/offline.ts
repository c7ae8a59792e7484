/** Installs what lets the page work without a network, and lets the user install the page. */
import { element } from "./elements.ts";
import type { State } from "./state.ts";

/** What browsers that install pages tell beforehand; the standard does not name it. */
interface InstallOffer extends Event {
  prompt(): Promise<unknown>;
}

/** Keeps the page's files in the browser, says when there are newer ones, and offers to install the page. */
export function workOffline(state: State): void {
  offerInstallation();
  const promise = element("promise", HTMLParagraphElement);
  const say = (): void => {
    const isKept = navigator.serviceWorker?.controller != null;
    promise.textContent = `Nothing leaves this device${isKept ? " · works offline" : ""}`;
  };
  if (!("serviceWorker" in navigator)) return;
  navigator.serviceWorker.addEventListener("controllerchange", say);
  say();
  void follow(state);
}

async function follow(state: State): Promise<void> {
  let registration: ServiceWorkerRegistration;
  try {
    registration = await navigator.serviceWorker.register("/service-worker.js");
  } catch {
    return; // a browser that keeps no files, as in some private windows: the page works as long as it is served
  }
  const offerUpdate = (waiting: ServiceWorker): void => {
    state.notice.value = {
      kind: "info",
      text: "There is a new version of this page.",
      actions: [{ text: "Load it", run: () => void replace(waiting) }],
    };
  };
  if (registration.waiting && navigator.serviceWorker.controller) offerUpdate(registration.waiting);
  registration.addEventListener("updatefound", () => {
    const { installing } = registration;
    installing?.addEventListener("statechange", () => {
      if (installing.state === "installed" && navigator.serviceWorker.controller) offerUpdate(installing);
    });
  });
}

function replace(waiting: ServiceWorker): void {
  navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
  waiting.postMessage("take over");
}

function offerInstallation(): void {
  const install = element("install", HTMLButtonElement);
  addEventListener("beforeinstallprompt", (event) => {
    if (!isInstallOffer(event)) return;
    event.preventDefault();
    install.hidden = false;
    install.addEventListener(
      "click",
      () => {
        install.hidden = true;
        void event.prompt();
      },
      { once: true },
    );
  });
  addEventListener("appinstalled", () => {
    install.hidden = true;
  });
}

function isInstallOffer(event: Event): event is InstallOffer {
  return "prompt" in event && typeof event.prompt === "function";
}
