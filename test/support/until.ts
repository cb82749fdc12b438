/**
 * Waits for a condition by polling it, with a deadline. Tests never sleep for something to happen.
 *
 * @module
 */

/** A look that began in time may take so long beyond the deadline; one that takes longer hangs. */
const graceMs = 30_000;

/** Returns the first value that is not undefined. Throws with `what` when the deadline has passed. */
export async function until<T>(
  what: string,
  look: () => T | undefined | Promise<T | undefined>,
  deadlineMs = 10_000,
  everyMs = 20,
): Promise<T> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    const value = await within(deadline + graceMs, look(), () => `Waited in vain for ${what}: a look hangs`);
    if (value !== undefined) return value;
    if (performance.now() > deadline) throw new Error(`Waited ${deadlineMs} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/** What `looking` gives, if it does until `endMs`. */
async function within<T>(endMs: number, looking: T | Promise<T>, complaint: () => string): Promise<T> {
  if (!(looking instanceof Promise)) return looking;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const hangs = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(complaint())), endMs - performance.now());
  });
  try {
    return await Promise.race([looking, hangs]);
  } finally {
    clearTimeout(timer);
  }
}
