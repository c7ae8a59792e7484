/** What errors say of what they were caused by, which JavaScript lets be anything. */

/** The message of an error; of anything else its text. */
export function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
