/**
 * Listeners of a changed configuration: bound by all workers beside what is in force, then put in force or given up.
 *
 * @module
 */
import { ForwarderError } from "../core/errors.ts";
import type { ListenerReport, ListenPlan, ToWorker } from "./protocol.ts";
import { askDeadlineMs, startDeadlineMs, type WorkerAnswers } from "./worker_answers.ts";
import type { WorkerSlot } from "./worker_parts.ts";

/** What is bound and not yet in force. */
export interface PreparedListeners {
  /**
   * Puts it in force: connections of listeners that go may stay for `goMs`. Resolves when those listeners take no more,
   * or a worker is too slow to say so.
   */
  commit(goMs: number): Promise<void>;
  /** Gives it up. */
  discard(): void;
}

/**
 * Binds what is new of `plans` on all workers, beside what is in force.
 *
 * @throws ForwarderError why a worker cannot; nothing has changed then
 */
export async function prepareListeners(
  slots: readonly WorkerSlot[],
  answers: WorkerAnswers,
  plans: readonly ListenPlan[],
): Promise<PreparedListeners> {
  const post = (message: ToWorker) => slots.forEach((slot) => slot.thread.post(message));
  const reports: (readonly ListenerReport[])[] = [];
  const prepare = async (slot: WorkerSlot, ports: readonly number[]) => {
    const own = plans.map((plan, index) => ({ ...plan, port: ports[index] ?? plan.listen.port }));
    const answer = await answers.ask(
      slot,
      "prepare_listeners",
      startDeadlineMs,
      ["listeners_prepared", "listeners_refused"],
      (id) => ({ type: "prepare_listeners", id, plans: own }),
    );
    if (answer.type === "listeners_refused") throw new ForwarderError("config_invalid", answer.message);
    reports[slot.worker] = answer.listeners;
  };
  try {
    // The first binds alone, so that port 0 becomes a real port for the others.
    await prepare(slots[0]!, []);
    const ports = reports[0]!.map(({ port }) => port);
    const others = slots.slice(1).map((slot) => prepare(slot, ports));
    const failed = (await Promise.allSettled(others)).find(({ status }) => status === "rejected");
    if (failed !== undefined) throw (failed as PromiseRejectedResult).reason;
  } catch (error) {
    post({ type: "discard_listeners" });
    throw error;
  }
  return {
    commit: async (goMs) => {
      await Promise.allSettled(slots.map((slot) => {
        slot.listeners = reports[slot.worker]!;
        return answers.ask(
          slot,
          "commit_listeners",
          askDeadlineMs,
          ["listeners_committed"],
          (id) => ({ type: "commit_listeners", id, goMs }),
        );
      }));
    },
    discard: () => post({ type: "discard_listeners" }),
  };
}
