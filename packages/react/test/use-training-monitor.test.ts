/** The hook in a page: it renders only for what it reads. */
import { TrainingMonitor } from "@mlx-ts/monitor";
import { useTrainingMonitor } from "@mlx-ts/react";
import { createElement, type ReactElement } from "react";
import { expect, it } from "vitest";
import { endEvent, startEvent, stepEvent } from "../../monitor/test/events.ts";

// React draws into a page.
it.skipIf(typeof document === "undefined")("renders again for the signal it reads, and for no other", async () => {
  const { createRoot } = await import("react-dom/client");
  const monitor = new TrainingMonitor();
  let renders = 0;
  const Status = (): ReactElement => {
    renders++;
    return createElement(
      "output",
      null,
      useTrainingMonitor(monitor, (m) => m.status),
    );
  };
  const place = document.createElement("div");
  const root = createRoot(place);
  root.render(createElement(Status));
  await expect.poll(() => place.textContent).toBe("waiting");
  monitor.push(startEvent());
  monitor.flush();
  await expect.poll(() => place.textContent).toBe("running");
  const before = renders;
  for (let step = 1; step <= 5; step++) {
    monitor.push(stepEvent(step));
    monitor.flush();
  }
  monitor.push(endEvent(5));
  await expect.poll(() => place.textContent).toBe("finished");
  expect(renders).toBe(before + 1);
  root.unmount();
});
