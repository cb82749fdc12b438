/**
 * A search for the highest rate against a target whose limit is known: it is counted, not timed, so that a busy machine
 * does not move it. Where the generator itself was late, that must be said instead.
 *
 * @module
 */
import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import type { Result } from "../../../src/clobber/result.ts";
import { resultOf } from "./inline.ts";

const dir = mkdtempSync(join(tmpdir(), "corndog-search-"));
after(() => rmSync(dir, { recursive: true, force: true }));

const limit = 400;

/** Lets `limit` pass in a second, and a tenth of that at once. */
class Bucket {
  #tokens = limit / 10;
  #last = performance.now();

  take(): boolean {
    const now = performance.now();
    this.#tokens = Math.min(limit / 10, this.#tokens + (now - this.#last) / 1000 * limit);
    this.#last = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}

const flags = [
  "--find-from",
  "400",
  "--find-step",
  "300ms",
  "--confirm",
  "600ms",
  "-c",
  "4",
  "--threads",
  "1",
];

/** What must be true of every search, and of one that the machine left alone. */
function check({ code, generator, search }: Result & { readonly code: number }): void {
  assert.ok(search !== null && search.steps.length > 0);
  if (search.generatorLimited) {
    assert.equal(generator.verdict, "generator-limited");
    assert.equal(code, 98);
    return;
  }
  assert.equal(code, search.confirmed ? 0 : 99);
  if (search.confirmed) assert.ok(search.rate <= limit * 1.5, `${search.rate}/s of ${limit}/s`);
  for (const { passed, rate, why } of search.steps) {
    assert.equal(passed, why.length === 0);
    // A machine that reads in bursts may break a lower rate too, and one that reads late lets more pass: of twice the
    // limit a third is lost, and a pause gives back a sixth at most.
    if (rate >= 2 * limit) assert.equal(passed, false, `${rate}/s`);
  }
}

describe("corndog clobber --find-max", () => {
  it("judges each step by its own lines at the far end", { timeout: 120_000 }, async () => {
    const bucket = new Bucket();
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      let rest = "";
      socket.on("error", () => {}).on("data", (chunk) => {
        const lines = (rest + chunk).split("\n");
        rest = lines.pop()!;
        const passed = lines.filter(() => bucket.take());
        if (passed.length > 0) appendFileSync(join(dir, "lines"), `${passed.join("\n")}\n`);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const ran = await resultOf([
        `tcp://127.0.0.1:${port}`,
        ...["--find-max", "loss<5%,e2e.p99<60s", "--verify", `file:${dir}`, "--verify-timeout", "300ms"],
        ...flags,
      ]);
      check(ran);
      const held = ran.search!.steps.filter(({ passed }) => passed);
      assert.ok(held.every(({ endToEndP99, lost }) => endToEndP99! > 0 && lost! < 0.05 * limit));
    } finally {
      for (const socket of sockets) socket.destroy();
      server.close();
    }
  });
});
