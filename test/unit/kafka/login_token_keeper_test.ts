import assert from "node:assert/strict";
import { test } from "node:test";
import { ForwarderError } from "../../../src/core/errors.ts";
import { TokenKeeper } from "../../../src/kafka/login/token_keeper.ts";
import { FakeClock } from "./fake_clock.ts";

/** A keeper whose tokens are numbered and live for `lifeMs`; `fails` makes the endpoint fail. */
function keeperOf(lifeMs: number) {
  const clock = new FakeClock();
  const state = { fetched: 0, fails: false, failures: [] as string[] };
  const keeper = new TokenKeeper({
    clock,
    fetch: () => {
      if (state.fails) return Promise.reject(new ForwarderError("kafka_unreachable", "endpoint is away"));
      state.fetched++;
      return Promise.resolve({ value: `token-${state.fetched}`, endsAtMs: clock.nowMs() + lifeMs });
    },
    failed: (cause) => state.failures.push(cause.message),
  });
  return { keeper, clock, state };
}

test("TokenKeeper.token() asks once when many ask at a time", async () => {
  const { keeper, state } = keeperOf(100_000);
  const tokens = await Promise.all(Array.from({ length: 20 }, () => keeper.token()));
  assert.deepEqual(new Set(tokens), new Set(["token-1"]));
  assert.equal(state.fetched, 1);
});

test("TokenKeeper.token() has the next token ready before the first one ends, and nobody waits for it", async () => {
  const { keeper, clock, state } = keeperOf(100_000);
  await keeper.token();
  await clock.advance(69_000);
  assert.equal(state.fetched, 1, "not renewed at once");
  await clock.advance(12_000);
  assert.equal(state.fetched, 2, "renewed before brokers end sessions, at 85 % of a token's life");
  assert.equal(await keeper.token(), "token-2");
  for (let minutes = 0; minutes < 60; minutes++) {
    await clock.advance(60_000);
    await keeper.token();
  }
  assert.ok(state.fetched > 40 && state.fetched < 55, `${state.fetched} tokens in an hour`);
  keeper.close();
  assert.equal(clock.pending, 0);
});

test("TokenKeeper.token() gives the former token while renewing fails and until its end, then says why", async () => {
  const { keeper, clock, state } = keeperOf(100_000);
  await keeper.token();
  state.fails = true;
  await clock.advance(95_000);
  assert.ok(state.failures.length >= 2, "tried again and again");
  assert.equal(await keeper.token(), "token-1");
  await clock.advance(6_000);
  await assert.rejects(keeper.token(), /endpoint is away/);
  state.fails = false;
  assert.equal(await keeper.token(), "token-2");
  keeper.close();
});

test("TokenKeeper renews nothing when nobody has asked for two lives", async () => {
  const { keeper, clock, state } = keeperOf(100_000);
  await keeper.token();
  await clock.advance(10_000_000);
  assert.ok(state.fetched <= 4, `${state.fetched} tokens for nobody`);
  assert.equal(clock.pending, 0);
  assert.equal(await keeper.token(), `token-${state.fetched}`);
  keeper.close();
});

test("TokenKeeper.refuse() forgets the token that a broker refused, and no other", async () => {
  const { keeper, state } = keeperOf(100_000);
  const token = await keeper.token();
  keeper.refuse("another");
  assert.equal(await keeper.token(), token);
  keeper.refuse(token);
  assert.equal(await keeper.token(), "token-2");
  assert.equal(state.fetched, 2);
  keeper.close();
});

for (const lifeMs of [0, 1, 1000, Infinity]) {
  test(`TokenKeeper does not spin when a token lives ${lifeMs} ms`, async () => {
    const { keeper, clock, state } = keeperOf(lifeMs);
    for (let second = 0; second < 10; second++) {
      await keeper.token();
      await clock.advance(1000);
    }
    assert.ok(state.fetched <= 40, `${state.fetched} tokens in 10 s`);
    keeper.close();
  });
}
