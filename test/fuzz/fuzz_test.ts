/**
 * The driver itself: a broken promise is told with the seed that repeats it.
 *
 * @runtimes bun deno
 */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { fuzz } from "./fuzz.ts";
import { Random } from "./random.ts";

const show = (input: number): string => String(input);

/** Runs with settings of the environment that are put back. */
async function withSettings<T>(settings: Record<string, string>, work: () => Promise<T>): Promise<T> {
  const before = Object.keys(settings).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, settings);
  try {
    return await work();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

test("fuzz() gives the seed and the input when a case throws, and they repeat it", async () => {
  const target = {
    name: "driver",
    make: (random: Random) => random.between(0, 999),
    run(input: number): void {
      if (input === 7) throw new Error("seven");
    },
    show,
  };
  const message = await withSettings({ FUZZ_SECONDS: "30" }, () => fuzz(target).catch(String));
  assert.match(String(message), /seven[^]*input: 7$/);
  const seed = /FUZZ_SEED=(\d+)/.exec(String(message))![1]!;
  assert.equal(new Random(Number(seed)).between(0, 999), 7);
  const again = await withSettings({ FUZZ_SEED: seed, FUZZ_SECONDS: "1" }, () => fuzz(target).catch(String));
  assert.match(String(again), new RegExp(`FUZZ_SEED=${seed};`));
});

test("fuzz() fails when a case is slow each time, and not when it is slow once", async () => {
  const slow = (times: number) => {
    let left = times;
    return {
      name: "driver",
      make: () => 0,
      run(): void {
        if (left-- <= 0) return;
        for (const end = performance.now() + 30; performance.now() < end;);
      },
      show,
      caseMsMax: 20,
    };
  };
  await withSettings({ FUZZ_SECONDS: "0.3" }, async () => {
    await assert.rejects(fuzz(slow(Infinity)), /at most 20 are allowed/);
    assert.ok((await fuzz(slow(1))).cases > 1);
  });
});
