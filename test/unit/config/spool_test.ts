import assert from "node:assert/strict";
import { test } from "node:test";
import { loadText, shown, warned } from "./memory_files.ts";

const kafka = "kafka: { brokers: [k:9092] }\n";

const places: { name: string; env: Record<string, string>; want: string }[] = [
  { name: "nothing is said", env: {}, want: "/c/corndog-data/spool" },
  { name: "systemd names one", env: { STATE_DIRECTORY: "/var/lib/corndog" }, want: "/var/lib/corndog/spool" },
  { name: "systemd names two", env: { STATE_DIRECTORY: "/var/lib/a:/var/lib/b" }, want: "/var/lib/a/spool" },
  { name: "the desktop names one", env: { XDG_STATE_HOME: "/h/.state" }, want: "/h/.state/corndog/spool" },
  {
    name: "both do",
    env: { STATE_DIRECTORY: "/var/lib/corndog", XDG_STATE_HOME: "/h/.state" },
    want: "/var/lib/corndog/spool",
  },
  {
    name: "the desktop's is not absolute, which its specification says to ignore",
    env: { XDG_STATE_HOME: "state" },
    want: "/c/corndog-data/spool",
  },
];

for (const { name, env, want } of places) {
  test(`loadConfig() puts the spool into the right folder when ${name}`, () => {
    const result = loadText(kafka, { env });
    assert.ok(result.ok, shown(result).join());
    assert.equal(result.config.spool?.dir, want);
  });
}

test("loadConfig() gives the spool its defaults when the sink is Kafka, and none when it is not", () => {
  const result = loadText(kafka);
  assert.ok(result.ok, shown(result).join());
  assert.deepEqual(result.config.spool, {
    dir: "/c/corndog-data/spool",
    durability: "os",
    bytesMax: 10 * 1024 ** 3,
    freeBytesMin: 512 * 1024 ** 2,
    replay: "live_first",
    replayBytesPerS: 64 * 1024 ** 2,
    parkedBytesMax: 1024 ** 3,
  });
  const file = loadText("spool: { durability: fsync }\n");
  assert.ok(file.ok);
  assert.equal(file.config.spool, undefined);
  assert.deepEqual(warned(file), [
    "corndog.yml:1:8: spool: the sink is file, which has no spool before it; the key changes nothing",
  ]);
});

test("loadConfig() takes overrides of the spool from the environment and --set when the file says otherwise", () => {
  const result = loadText(`${kafka}spool: { durability: none }\n`, {
    env: { CORNDOG_SPOOL_DURABILITY: "fsync" },
    sets: ["spool.bytes_max=1GiB"],
  });
  assert.ok(result.ok, shown(result).join());
  assert.equal(result.config.spool?.durability, "fsync");
  assert.equal(result.config.spool?.bytesMax, 1024 ** 3);
});

test("loadConfig() says how much a spool needs when bytes_max is too little for the workers", () => {
  assert.deepEqual(shown(loadText(`${kafka}workers: 4\nspool: { bytes_max: 16MiB }\n`)), [
    "corndog.yml:3:21: spool.bytes_max: 4 worker(s) need 64MiB at least; write more or lower workers",
  ]);
  assert.ok(loadText(`${kafka}workers: 4\nspool: { bytes_max: 64MiB }\n`).ok);
});
