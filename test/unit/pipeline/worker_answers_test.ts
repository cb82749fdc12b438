import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ForwarderError } from "../../../src/core/errors.ts";
import { prepareListeners } from "../../../src/pipeline/prepared_listeners.ts";
import type { FromWorker, ListenerReport, ListenPlan, ToWorker } from "../../../src/pipeline/protocol.ts";
import { WorkerAnswers } from "../../../src/pipeline/worker_answers.ts";
import type { WorkerSlot } from "../../../src/pipeline/worker_parts.ts";

/** Long enough for any machine. */
const longMs = 60_000;

/** A worker that answers what the test says. */
function slotOf(
  worker: number,
  answers: WorkerAnswers,
  answer: (message: ToWorker) => FromWorker | undefined = () => undefined,
): { readonly slot: WorkerSlot; readonly posted: ToWorker[] } {
  const posted: ToWorker[] = [];
  const thread: WorkerSlot["thread"] = {
    post: (message) => {
      posted.push(message);
      const told = answer(message);
      if (told !== undefined) queueMicrotask(() => answers.offer(worker, told));
    },
    onMessage: () => {},
    onExit: () => {},
    terminate: () => Promise.resolve(),
  };
  return { slot: { worker, thread, listeners: [], io: undefined, report: undefined, ended: false }, posted };
}

const ended = (id: number, found: boolean): FromWorker => ({ type: "connection_ended", id, found });
const question = (id: number): ToWorker => ({ type: "end_connection", id, connection: 7 });

describe("WorkerAnswers", () => {
  it("ask() resolves with the answer of that worker, of that type and with that number, and no other", async () => {
    const answers = new WorkerAnswers();
    const { slot, posted } = slotOf(1, answers);
    let came: boolean | undefined;
    const asked = answers.ask(slot, "end", longMs, ["connection_ended"], question);
    void asked.then(({ found }) => came = found);
    const { id } = posted[0] as { id: number };
    answers.offer(0, ended(id, false));
    answers.offer(1, ended(id + 1, false));
    answers.offer(1, { type: "spool_adoption_set", id });
    await Promise.resolve();
    assert.equal(came, undefined);
    answers.offer(1, ended(id, true));
    assert.equal((await asked).found, true);
  });

  it("ask() gives each question a number of its own", async () => {
    const answers = new WorkerAnswers();
    const { slot } = slotOf(0, answers, (message) => "id" in message ? ended(message.id, true) : undefined);
    const ask = () => answers.ask(slot, "end", longMs, ["connection_ended"], question);
    const ids = (await Promise.all([ask(), ask(), ask()])).map(({ id }) => id);
    assert.equal(new Set(ids).size, 3);
  });

  it("wait() names the worker and the question when there is no answer in time", async () => {
    const answers = new WorkerAnswers();
    await assert.rejects(answers.wait(3, "drain", 1, ["drained"]), (error) => {
      assert.ok(error instanceof ForwarderError);
      assert.equal(error.code, "deadline_exceeded");
      assert.equal(error.message, 'Worker 3 did not answer "drain" within 1 ms');
      return true;
    });
  });

  it("wait() ends with why the worker is lost, and others go on waiting", async () => {
    const answers = new WorkerAnswers();
    const lost = answers.wait(0, "drain", longMs, ["drained"]);
    const other = answers.wait(1, "drain", longMs, ["drained"]);
    answers.lost(0, new ForwarderError("worker_failed", "Worker 0 ended: the test says so"));
    await assert.rejects(lost, /Worker 0 ended/);
    answers.offer(1, { type: "drained" });
    assert.deepEqual(await other, { type: "drained" });
  });
});

describe("prepareListeners()", () => {
  const plan = { listen: { port: 0 } } as ListenPlan;
  const bound = (port: number) => [{ port } as ListenerReport];

  /** Workers of which the first binds port 5140; `refuses` is the one that cannot. */
  function workers(refuses?: number) {
    const answers = new WorkerAnswers();
    const all = [0, 1, 2].map((worker) =>
      slotOf(worker, answers, (message) => {
        if (message.type === "commit_listeners") return { type: "listeners_committed", id: message.id };
        if (message.type !== "prepare_listeners") return undefined;
        const { id, plans } = message;
        if (worker === refuses) return { type: "listeners_refused", id, message: "the test says so" };
        return { type: "listeners_prepared", id, listeners: bound(plans[0]!.port || 5140) };
      })
    );
    return { answers, slots: all.map(({ slot }) => slot), posted: all.map(({ posted }) => posted) };
  }
  const types = (posted: readonly ToWorker[]) => posted.map(({ type }) => type);

  it("binds the port of the first worker on the others, and changes what is in force at commit()", async () => {
    const { slots, answers, posted } = workers();
    const prepared = await prepareListeners(slots, answers, [plan]);
    assert.deepEqual(slots.map(({ listeners }) => listeners), [[], [], []]);
    await prepared.commit(1_000);
    assert.deepEqual(slots.map(({ listeners }) => listeners), [bound(5140), bound(5140), bound(5140)]);
    assert.deepEqual(types(posted[2]!), ["prepare_listeners", "commit_listeners"]);
  });

  for (const refuses of [0, 2]) {
    it(`is given up by all when worker ${refuses} cannot`, async () => {
      const { slots, answers, posted } = workers(refuses);
      await assert.rejects(prepareListeners(slots, answers, [plan]), /the test says so/);
      assert.deepEqual(posted.map((all) => types(all).at(-1)), Array(3).fill("discard_listeners"));
      assert.deepEqual(slots.map(({ listeners }) => listeners), [[], [], []]);
    });
  }
});
