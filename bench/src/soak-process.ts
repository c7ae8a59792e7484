/** One side of the soak: computes the cases it is sent, and answers with a digest of each result's bytes. */
import { createHash } from "node:crypto";
import * as mx from "mlx-ts";
import { soakCase } from "./soak-cases.ts";

/** What is answered for a seed. */
export interface SoakReply {
  readonly kind: string;
  readonly elements: number;
  readonly digests: readonly string[];
}

process.on("message", async (seed: number) => {
  const { kind, results } = soakCase(seed);
  await mx.evaluate(results);
  const digests: string[] = [];
  for (const result of results) {
    const { buffer, byteOffset, byteLength } = await result.data();
    digests.push(
      createHash("sha1")
        .update(`${result.dtype} [${result.shape}]`)
        .update(new Uint8Array(buffer, byteOffset, byteLength))
        .digest("hex"),
    );
  }
  const elements = results.reduce((sum, { size }) => sum + size, 0);
  const reply: SoakReply = { kind, elements, digests };
  process.send?.(reply);
});
process.on("disconnect", () => process.exit(0));
