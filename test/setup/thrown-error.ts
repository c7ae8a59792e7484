/** What calls throw, to look at it. */

/** The error that `run` throws. */
export function thrownError(run: () => unknown): Error {
  try {
    run();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("nothing was thrown");
}
