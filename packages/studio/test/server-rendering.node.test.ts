/** On a server, where there are no elements, the package can be imported and asked. */
import { defineTrainingMonitor } from "@mlx-ts/studio";
import { expect, it } from "vitest";

it("imports and registers without a page", async () => {
  expect(() => defineTrainingMonitor()).not.toThrow();
  await expect(import("@mlx-ts/studio/register")).resolves.toBeDefined();
});
