/** Checks that what an import costs stays within its budget. */
import { bundleBudgets, measureBundle } from "./budgets.ts";

/** Measures every budget, prints it and returns whether all are kept. */
export async function checkBudgets(): Promise<boolean> {
  let areKept = true;
  for (const { name, program, byteLimit, byteGoal } of bundleBudgets) {
    const byteLength = await measureBundle(program);
    const isKept = byteLength <= byteLimit;
    const goal = byteLength <= byteGoal ? "" : ` (the goal is ${byteGoal})`;
    console.log(`bundle of ${name}: ${byteLength} of ${byteLimit} bytes${goal}${isKept ? "" : ": over its budget"}`);
    areKept &&= isKept;
  }
  return areKept;
}
