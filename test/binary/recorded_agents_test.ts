/**
 * Agents and libraries as they were recorded on the wire (test/fixtures/agents, docs/SENDERS.md): the bytes of their
 * requests, tokens and compression and all, sent to the running program. What they logged must come out, once each,
 * and the answer must be the one that they took for a success.
 * Runs on both: @runtimes bun deno
 *
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { once } from "node:events";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { Corndog } from "../support/corndog.ts";
import { until } from "../support/until.ts";

/** One request, and what became of it. */
interface Recorded {
  readonly sender: string;
  readonly head: string;
  /** Base64. */
  readonly body: string;
  readonly status: number;
  /** Records in the sink. */
  readonly values: readonly string[];
}

const token = "0123456789abcdef0123";
const deadlineMs = 20_000;

/** Sends bytes on a connection of their own; the status of the answer. */
async function statusOf(port: number, bytes: Uint8Array): Promise<number> {
  const socket = connect(port, "127.0.0.1");
  let answer = "";
  socket.on("data", (data) => answer += data);
  try {
    await once(socket, "connect");
    socket.write(bytes);
    return await until("an answer", () => {
      const status = /^HTTP\/1\.1 (\d+) [^]*\r\n\r\n/.exec(answer)?.[1];
      return status === undefined ? undefined : Number(status);
    }, deadlineMs);
  } finally {
    socket.destroy();
  }
}

async function written(dir: string): Promise<string[]> {
  const folder = join(dir, "out/logs");
  const texts = await Promise.all(
    (await readdir(folder)).map((name) => readFile(join(folder, name), "utf8")),
  );
  return texts.flatMap((text) =>
    text.split("\n").filter((row) => row.endsWith("}")).map((row) => JSON.parse(row).value)
  );
}

it("takes what agents were recorded to send, and answers as they want it", async () => {
  const fixture = new URL("../fixtures/agents/requests.json", import.meta.url);
  const recorded = JSON.parse(await readFile(fixture, "utf8")) as Recorded[];
  const dir = await mkdtemp(join(tmpdir(), "corndog-recorded-"));
  const tokens = `agents sha256:${createHash("sha256").update(token).digest("hex")}\n`;
  await writeFile(join(dir, "tokens"), tokens, { mode: 0o600 });
  const corndog = await Corndog.start(
    `listen:
  - http: http://127.0.0.1:0
    tokens_file: tokens
admin: { listen: 127.0.0.1:0 }
sink: file
file: { dir: out }
kafka: { topic: logs }
`,
    { dir },
  );
  try {
    await corndog.started();
    const port = corndog.port("http");
    for (const { sender, head, body, status } of recorded) {
      const bytes = Buffer.concat([Buffer.from(head), Buffer.from(body, "base64")]);
      assert.equal(await statusOf(port, bytes), status, sender);
    }
    assert.equal(await corndog.stop(), 0);
    const want = recorded.flatMap(({ values }) => values);
    assert.ok(want.length >= recorded.length);
    assert.deepEqual((await written(corndog.dir)).sort(), want.sort());
  } finally {
    await corndog.dispose();
  }
});
