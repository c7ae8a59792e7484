/** Provides attention. */
import { emitAttention } from "./attention-kernel.ts";
import { attention } from "./kernel-emitters.ts";

attention.provide(emitAttention);
