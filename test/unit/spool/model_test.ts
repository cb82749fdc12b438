/**
 * The spool over a simulated disk that crashes: 500 seeds in a run of all tests, half of them on each runtime, whose
 * code is the same; 10,000 on each with TEST_LONG=1.
 *
 * @module
 */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { type ModelOptions, runModel } from "./model.ts";

const seeds = process.env["TEST_LONG"] === "1" ? 10_000 : 250;
const ownSeed = "Deno" in globalThis && process.env["TEST_LONG"] !== "1" ? 1 + seeds : 1;
const firstSeed = Number(process.env["TEST_SEED"] ?? ownSeed);

const timeout = 30 * 60_000;

const base: ModelOptions = {
  durability: "fsync",
  replay: "live_first",
  power: true,
  faults: false,
  lives: 3,
  steps: 60,
};

const kinds: { name: string; share: number; options: ModelOptions }[] = [
  { name: "the power is cut", share: 0.4, options: base },
  { name: "the power is cut and old batches go first", share: 0.1, options: { ...base, replay: "ordered" } },
  { name: "the power is cut and the disk fails", share: 0.2, options: { ...base, faults: true } },
  { name: "the process is killed", share: 0.2, options: { ...base, durability: "os", power: false } },
  {
    name: "the process is killed and the disk fails",
    share: 0.1,
    options: { ...base, durability: "os", power: false, faults: true },
  },
];

for (const { name, share, options } of kinds) {
  const count = Math.round(seeds * share);
  test(
    `openSpool() finds all that was committed when ${name}, seeds ${firstSeed} to ${firstSeed + count - 1}`,
    { timeout },
    async () => {
      for (let seed = firstSeed; seed < firstSeed + count; seed++) {
        try {
          await runModel(seed, options);
        } catch (error) {
          throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
        }
      }
    },
  );
}

test("openSpool() finds all that was committed when the power is cut at any operation of one life", {
  timeout,
}, async () => {
  const { operations } = await runModel(7, { ...base, lives: 2, crashAt: Infinity });
  assert.ok(operations > 50, `${operations} operations`);
  for (let crashAt = 1; crashAt <= operations; crashAt++) {
    await runModel(7, { ...base, lives: 2, crashAt }).catch((cause) => {
      throw new Error(`operation ${crashAt}: ${(cause as Error).message}`, { cause });
    });
  }
});
