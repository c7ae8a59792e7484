/** The command line of an example: what its user has to mend is said in one line, without a stack. */

/** Something that the user of an example has to mend; the message is one line that says how. */
export class UserError extends Error {
  override readonly name: string = "UserError";
}

/** Runs an example; what its user has to mend sets the exit code and is printed, with `usage` where an option is wrong. */
export async function runCommand(usage: string, command: () => Promise<void>): Promise<void> {
  try {
    await command();
  } catch (error) {
    const isUsage = error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");
    if (!(error instanceof UserError) && !isUsage) throw error;
    console.error(isUsage ? `${error.message}\n${usage}` : error.message);
    process.exitCode = 1;
  }
}

/** The number that an option's text stands for. @throws {UserError} if it is no whole number from `least` on */
export function wholeNumber(option: string, text: string, least: number): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isSafeInteger(value) && value >= least) return value;
  throw new UserError(`--${option} "${text}": give a whole number from ${least} on`);
}

/** The number that an option's text stands for. @throws {UserError} if it is no finite number above 0 */
export function positiveNumber(option: string, text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new UserError(`--${option} "${text}": give a number above 0`);
}

/** Why the file system refused, in a word such as ENOENT. */
export function reasonOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
