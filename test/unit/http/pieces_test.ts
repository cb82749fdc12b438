import assert from "node:assert/strict";
import { it } from "node:test";
import { setImmediate } from "node:timers";
import { Pieces } from "../../../src/http/pieces.ts";

it("share() is less for those who come when others have used the turn up, never nothing, and whole in the next", async () => {
  const pieces = new Pieces();
  const whole = pieces.share;
  const shares: number[] = [];
  for (let connection = 0; connection < 10; connection++) {
    shares.push(pieces.share);
    pieces.spend(pieces.share);
  }
  assert.ok(shares.filter((share) => share === whole).length < 10, `${shares}`);
  assert.ok(shares.at(-1)! > 0 && shares.at(-1)! < whole / 10, `${shares}`);
  await new Promise<void>((resolve) => setImmediate(resolve));
  assert.equal(pieces.share, whole);
});
