/**
 * Waits for a condition by polling it, with a deadline. Tests never sleep for something to happen.
 *
 * @module
 */

/** Returns the first value that is not undefined. Throws with `what` when the deadline has passed. */
export async function until<T>(
  what: string,
  look: () => T | undefined | Promise<T | undefined>,
  deadlineMs = 10_000,
  everyMs = 20,
): Promise<T> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    const value = await look();
    if (value !== undefined) return value;
    if (performance.now() > deadline) throw new Error(`Waited ${deadlineMs} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
