/** Provides matrix products. */
import { emitContraction } from "./contraction-kernel.ts";
import { products } from "./kernel-emitters.ts";

products.provide(emitContraction);
