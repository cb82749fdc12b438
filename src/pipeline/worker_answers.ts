/**
 * Questions to workers and their answers. Each has a deadline; a worker that does not answer is named in the error.
 *
 * @module
 */
import { ForwarderError } from "../core/errors.ts";
import type { FromWorker, ToWorker } from "./protocol.ts";
import type { WorkerSlot } from "./worker_parts.ts";

/** Binding listeners and reading certificates; a cold start under load took under 1 s. */
export const startDeadlineMs = 15_000;
/** A worker that is held by a long rule answers late; the last report is shown then. */
export const askDeadlineMs = 500;

/** Answers of these types. */
export type Answer<Type extends FromWorker["type"]> = Extract<FromWorker, { readonly type: Type }>;

/** Types of answers that have the number of their question. */
export type NumberedType = Extract<FromWorker, { readonly id: number }>["type"];

interface Waiter {
  readonly worker: number;
  offer(message: FromWorker): void;
  reject(error: Error): void;
}

/** Who waits for which worker's answer. */
export class WorkerAnswers {
  readonly #waiting = new Set<Waiter>();
  #askId = 0;

  /**
   * Resolves with the worker's next answer of one of the types that `isMeant`.
   *
   * @throws ForwarderError `deadline_exceeded`, or what `lost` was told
   */
  wait<Type extends FromWorker["type"]>(
    worker: number,
    what: string,
    deadlineMs: number,
    types: readonly Type[],
    isMeant: (answer: Answer<Type>) => boolean = () => true,
  ): Promise<Answer<Type>> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        clearTimeout(timer);
        this.#waiting.delete(waiter);
        act();
      };
      const waiter: Waiter = {
        worker,
        offer: (message) => {
          if (isOf(message, types) && isMeant(message)) settle(() => resolve(message));
        },
        reject: (error) => settle(() => reject(error)),
      };
      const timer = setTimeout(() =>
        waiter.reject(
          new ForwarderError(
            "deadline_exceeded",
            `Worker ${worker} did not answer "${what}" within ${deadlineMs} ms`,
          ),
        ), deadlineMs);
      this.#waiting.add(waiter);
    });
  }

  /** Asks a worker: `message` gets the number of the question. @throws ForwarderError as `wait` */
  ask<Type extends NumberedType>(
    { worker, thread }: WorkerSlot,
    what: string,
    deadlineMs: number,
    types: readonly Type[],
    message: (id: number) => ToWorker,
  ): Promise<Answer<Type>> {
    const id = ++this.#askId;
    // All answers of a numbered type have one; the compiler does not see it through the parameter.
    const isMeant = (answer: { readonly id: number }) => answer.id === id;
    const answer = this.wait(worker, what, deadlineMs, types, isMeant as (answer: Answer<Type>) => boolean);
    thread.post(message(id));
    return answer;
  }

  /** A worker told something; who waits for it goes on. */
  offer(worker: number, message: FromWorker): void {
    for (const waiter of [...this.#waiting]) if (waiter.worker === worker) waiter.offer(message);
  }

  /** A worker answers nothing any more. */
  lost(worker: number, error: Error): void {
    for (const waiter of [...this.#waiting]) if (waiter.worker === worker) waiter.reject(error);
  }
}

function isOf<Type extends FromWorker["type"]>(
  message: FromWorker,
  types: readonly Type[],
): message is Answer<Type> {
  return (types as readonly string[]).includes(message.type);
}
