/** Checks that what a program costs stays within its budget. */
import { bundleBudgets, measureBundle } from "./budgets.ts";

/** Measures every budget, prints it and returns whether all are kept. */
export async function checkBudgets(): Promise<boolean> {
  let areKept = true;
  for (const { name, program, byteLimit } of bundleBudgets) {
    const { start, loaded, all } = await measureBundle(program);
    const isKept = loaded <= byteLimit;
    const rest = `${start} before it starts, ${all} with what it does not load`;
    console.log(`bundle of ${name}: ${loaded} of ${byteLimit} bytes (${rest})${isKept ? "" : ": over its budget"}`);
    areKept &&= isKept;
  }
  return areKept;
}
