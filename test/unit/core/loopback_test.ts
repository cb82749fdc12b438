import assert from "node:assert/strict";
import { test } from "node:test";
import { isLoopback } from "../../../src/core/loopback.ts";

test("isLoopback() knows this machine's own addresses and no others", () => {
  const own = ["localhost", "LOCALHOST", "127.0.0.1", "127.255.255.254", "::1", "[::1]", "::ffff:127.0.0.1"];
  const others = [
    "0.0.0.0",
    "::",
    "128.0.0.1",
    "localhost.example",
    "127.example",
    "127.0.0.1.example",
    "::ffff:10.0.0.1",
    "",
  ];
  for (const name of own) assert.equal(isLoopback(name), true, name);
  for (const name of others) assert.equal(isLoopback(name), false, name);
});
