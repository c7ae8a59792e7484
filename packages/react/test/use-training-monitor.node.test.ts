/** The hook on a server. */
import { TrainingMonitor } from "@mlx-ts/monitor";
import { useTrainingMonitor } from "@mlx-ts/react";
import { createElement, type ReactElement } from "react";
import { renderToString } from "react-dom/server";
import { expect, it } from "vitest";
import { endEvent, startEvent } from "../../monitor/test/events.ts";

it("renders on a server what is known there", () => {
  const monitor = new TrainingMonitor();
  monitor.push(startEvent());
  monitor.push(endEvent(0));
  const Step = (): ReactElement => createElement("p", null, useTrainingMonitor(monitor).status);
  expect(renderToString(createElement(Step))).toBe("<p>finished</p>");
});
