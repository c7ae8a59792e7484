/** A convolutional autoencoder of heartbeats: what it cannot draw again after a narrow waist is unlike what it learned. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import type { TrainingPlan } from "../training.ts";
import { type Beat, beatLength } from "./beats.ts";

const waistSize = 6;
const waistLength = beatLength / 8;
const waistChannels = 16;

/** Beats with this many times the median error of typical beats unseen in training are abnormal. */
export const abnormalFactor = 3;

const epochs = 60;
const batchSize = 32;
const learningRate = 3e-3;

/** Beats to beats, through `waistSize` numbers. */
export class BeatAutoencoder extends nn.Module {
  squeeze1: nn.Conv1d = new nn.Conv1d(1, 8, 7, { stride: 2, padding: 3 });
  squeeze2: nn.Conv1d = new nn.Conv1d(8, 16, 5, { stride: 2, padding: 2 });
  squeeze3: nn.Conv1d = new nn.Conv1d(16, waistChannels, 5, { stride: 2, padding: 2 });
  narrow: nn.Linear = new nn.Linear(waistLength * waistChannels, waistSize);
  widen: nn.Linear = new nn.Linear(waistSize, waistLength * waistChannels);
  draw1: nn.Conv1d = new nn.Conv1d(waistChannels, 16, 5, { padding: 2 });
  draw2: nn.Conv1d = new nn.Conv1d(16, 8, 5, { padding: 2 });
  draw3: nn.Conv1d = new nn.Conv1d(8, 1, 7, { padding: 3 });

  /** [beats, beatLength, 1] → the same. */
  forward(beats: mx.MLXArray): mx.MLXArray {
    let x = nn.gelu(this.squeeze1(beats)); // [beats, beatLength / 2, 8]
    x = nn.gelu(this.squeeze2(x));
    x = nn.gelu(this.squeeze3(x)); // [beats, waistLength, waistChannels]
    x = this.widen(this.narrow(x.flatten(1)));
    x = nn.gelu(x).reshape([-1, waistLength, waistChannels]);
    x = nn.gelu(this.draw1(mx.repeat(x, 2, 1)));
    x = nn.gelu(this.draw2(mx.repeat(x, 2, 1)));
    return this.draw3(mx.repeat(x, 2, 1));
  }
}

/** Beats as one array [beats, beatLength, 1], in millivolts. */
function stackBeats(beats: readonly Beat[]): mx.MLXArray {
  const all = new Float32Array(beats.length * beatLength);
  for (const [row, { values }] of beats.entries()) all.set(values, row * beatLength);
  return mx.fromTypedArray(all, [beats.length, beatLength, 1]);
}

/** How an autoencoder learns beats. */
export function autoencoderPlan(autoencoder: BeatAutoencoder, beats: readonly Beat[]): TrainingPlan<BeatAutoencoder> {
  const inputs = stackBeats(beats);
  return {
    model: autoencoder,
    lossOf: (model, given, wanted) => nn.losses.mseLoss(model(given), wanted),
    inputs,
    targets: inputs,
    batchSize,
    epochs,
    learningRate,
  };
}

/** What the autoencoder draws of each beat, and how far that lies from the beat: root mean square, in millivolts. */
export async function redrawBeats(
  autoencoder: BeatAutoencoder,
  beats: readonly Beat[],
): Promise<{ readonly drawings: readonly Float32Array[]; readonly errors: Float64Array }> {
  const inputs = stackBeats(beats);
  const outputs = autoencoder(inputs);
  const errors = outputs.sub(inputs).square().mean([1, 2]).sqrt();
  await mx.evaluate(outputs, errors);
  const flat = await outputs.data("float32");
  return {
    drawings: beats.map((_, row) => flat.slice(row * beatLength, (row + 1) * beatLength)),
    errors: await errors.data("float64"),
  };
}
