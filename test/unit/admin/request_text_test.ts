import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { bodyDeadlineMs, readRequestText } from "../../../src/admin/request_text.ts";
import { runtime } from "../../../src/runtime/current.ts";

const bytesMax = 1000;

/** Serves `readRequestText` with `deadlineMs`; gives the status for `head`, after which `drip` goes out again and again. */
async function statusOf(
  deadlineMs: number,
  head: string,
  drip = "",
): Promise<{ status: number; closes: string }> {
  const server = await runtime.serveHttp({ hostname: "127.0.0.1", port: 0 }, async (request) => {
    const body = await readRequestText(request, bytesMax, deadlineMs);
    return body.ok ? new Response("ok\n") : body.refusal;
  });
  const answer = await new Promise<string>((resolve, reject) => {
    const socket = connect(server.port, "127.0.0.1", () => socket.write(head));
    const timer = setInterval(() => drip === "" || socket.write(drip), 5);
    socket.on("error", reject);
    socket.once("data", (chunk) => {
      clearInterval(timer);
      socket.destroy();
      resolve(chunk.toString());
    });
  });
  await server.stop();
  return {
    status: Number(answer.slice(9, 12)),
    closes: /^connection: .*$/im.exec(answer)?.[0].toLowerCase() ?? "",
  };
}

const put = "PUT / HTTP/1.1\r\nHost: localhost\r\n";
const late: { name: string; head: string; drip?: string }[] = [
  { name: "never comes", head: `${put}Content-Length: 90\r\n\r\n` },
  { name: "stops", head: `${put}Content-Length: 90\r\n\r\nrules: []` },
  { name: "drips", head: `${put}Content-Length: 900\r\n\r\n`, drip: "x" },
  { name: "drips in pieces", head: `${put}Transfer-Encoding: chunked\r\n\r\n`, drip: "1\r\nx\r\n" },
];
for (const { name, head, drip } of late) {
  test(`readRequestText() refuses with 408 and ends the connection when the body ${name}`, async () => {
    assert.deepEqual(await statusOf(100, head, drip), { status: 408, closes: "connection: close" });
  });
}

test("readRequestText() refuses with 413 when a body in pieces grows over the limit before the deadline", async () => {
  const head = `${put}Transfer-Encoding: chunked\r\n\r\n`;
  const { status } = await statusOf(bodyDeadlineMs, head, `64\r\n${"x".repeat(100)}\r\n`);
  assert.equal(status, 413);
});

test("readRequestText() takes a body that is whole before the deadline", async () => {
  assert.equal((await statusOf(bodyDeadlineMs, `${put}Content-Length: 9\r\n\r\nrules: []`)).status, 200);
});
