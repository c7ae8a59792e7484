/** The page of the benchmark of the main thread: draws and predicts sixty times a second while a worker trains. */
import { ModelServer, ModelTrainer } from "@mlx-ts/actor";
import * as mx from "mlx-ts";
import { Network, type training } from "./model.ts";

/** Trains for so many steps; resolves with what happened. */
async function measure(
  steps: number,
): Promise<{ steps: number; predictions: number; seconds: number; frames: number }> {
  const x = mx.random.normal([4096, 128]);
  const y = mx.sum(x, 1, { keepAxes: true });
  await mx.evaluate(x, y);
  const trainer = await ModelTrainer.start<typeof training>(
    () => new Worker(new URL("./train.worker.js", import.meta.url), { type: "module" }),
    { parameters: [{ x, y }, { steps }] },
  );
  const server = new ModelServer(trainer, new Network(), (model, inputs: mx.MLXArray) => model(inputs));
  const latest = x.get(":16");
  await mx.evaluate(latest);
  await server.predict(latest);
  performance.mark("training begins");
  const started = performance.now();
  let [done, predictions, frames] = [0, 0, 0];
  let isOver = false;
  const draw = async (): Promise<void> => {
    frames++;
    const shown = await (await server.predict(latest)).tolist();
    document.title = `${done} ${String(shown).length}`;
    predictions++;
    if (!isOver) requestAnimationFrame(draw);
  };
  requestAnimationFrame(draw);
  for await (const event of trainer.run()) if (event.kind === "step") done = event.step;
  isOver = true;
  const seconds = (performance.now() - started) / 1000;
  performance.mark("training ends");
  await trainer.dispose();
  return { steps: done, predictions, seconds, frames };
}

Object.assign(globalThis, { measure });
