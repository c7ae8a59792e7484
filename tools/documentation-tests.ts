/** Pending. */
export function generateDocumentationTests(): void {}
