import assert from "node:assert/strict";
import { test } from "node:test";
import { answerPacker, Packer } from "../../../src/pipeline/packer.ts";
import type { FromPacker, PackerThread, ToPacker } from "../../../src/pipeline/packer_protocol.ts";

/** A thread that is none: it answers when told to. */
class FakeThread implements PackerThread {
  readonly asked: ToPacker[] = [];
  terminated = 0;
  #handler: (message: FromPacker) => void = () => {};
  exit: (reason: string) => void = () => {};

  post(message: ToPacker): void {
    this.asked.push({ ...message, buffer: structuredClone(message.buffer, { transfer: [message.buffer] }) });
  }

  onMessage(handler: (message: FromPacker) => void): void {
    this.#handler = handler;
  }

  onExit(handler: (reason: string) => void): void {
    this.exit = handler;
  }

  terminate(): void {
    this.terminated++;
  }

  answer(): void {
    this.#handler(answerPacker(this.asked.shift()!));
  }
}

function packerOf() {
  const threads: FakeThread[] = [];
  const lost: string[] = [];
  const packer = new Packer({ codec: "lz4" }, () => {
    threads.push(new FakeThread());
    return threads.at(-1)!;
  }, (reason) => void lost.push(reason));
  const outcomes: (number | string | undefined)[] = [];
  const pack = (bytes: Uint8Array) =>
    packer.pack(bytes, (error, packed) => void outcomes.push(error?.message ?? packed?.length));
  return { packer, threads, lost, outcomes, pack };
}

test("Packer answers in the order of the questions, with nothing when it is not smaller", () => {
  const { threads, outcomes, pack } = packerOf();
  assert.equal(threads.length, 0, "no thread before the first batch");
  pack(new Uint8Array(5000));
  pack(crypto.getRandomValues(new Uint8Array(300)));
  pack(new Uint8Array(100));
  for (let i = 0; i < 3; i++) threads[0]!.answer();
  assert.equal(threads.length, 1);
  assert.ok((outcomes[0] as number) < 100);
  assert.equal(outcomes[1], undefined);
  assert.ok((outcomes[2] as number) < 100);
});

test("Packer leaves bytes as they are and tells once when its thread ended", async () => {
  const { packer, threads, lost, outcomes, pack } = packerOf();
  pack(new Uint8Array(5000));
  threads[0]!.exit("exit code 9");
  pack(new Uint8Array(5000));
  await Promise.resolve();
  assert.deepEqual(lost, ["exit code 9"]);
  assert.equal(outcomes.length, 2);
  for (const outcome of outcomes) assert.match(String(outcome), /the packer ended: exit code 9/);
  assert.equal(threads.length, 1);
  packer.close();
});

test("Packer close() ends the thread without a word when it runs", () => {
  const { packer, threads, lost, outcomes, pack } = packerOf();
  pack(new Uint8Array(5000));
  packer.close();
  threads[0]!.exit("exit code 1");
  assert.deepEqual([threads[0]!.terminated, lost.length, outcomes.length], [1, 0, 1]);
});
