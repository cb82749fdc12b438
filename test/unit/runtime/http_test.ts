import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, it } from "node:test";
import { ForwarderError } from "../../../src/core/errors.ts";
import { runtime } from "../../../src/runtime/current.ts";
import { setFaultReporter } from "../../../src/runtime/fault.ts";

/** Sends `head` as it is; gives what came until the answer's last line. */
function exchange(port: number, head: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(head));
    let text = "";
    socket.on("error", reject);
    socket.on("close", () => resolve(text));
    socket.on("data", (chunk) => {
      text += chunk;
      if (/\r\n\r\n.*\n/.test(text)) socket.destroy();
    });
  });
}

describe("serveHttp()", () => {
  const requests = [
    { name: "no Host", head: "GET /a/b HTTP/1.0\r\n", want: "http://host.invalid/a/b" },
    { name: "an empty Host", head: "GET /a/b?c HTTP/1.0\r\nHost:\r\n", want: "http://host.invalid/a/b?c" },
    {
      name: "no Host and a name in the path",
      head: "GET //x/healthz HTTP/1.0\r\n",
      want: "http://host.invalid//x/healthz",
    },
    {
      name: "a name",
      head: "GET /a/b HTTP/1.1\r\nHost: edge_1.example:5\r\n",
      want: "http://edge_1.example:5/a/b",
    },
    { name: "an IPv6 address", head: "GET /a/b HTTP/1.1\r\nHost: [::1]:5\r\n", want: "http://[::1]:5/a/b" },
    {
      name: "a Host with a path",
      head: "GET /a/b HTTP/1.1\r\nHost: localhost/healthz?\r\n",
      want: undefined,
    },
    { name: "a Host with a fragment", head: "GET /a/b HTTP/1.1\r\nHost: x#\r\n", want: undefined },
    { name: "a Host with a user", head: "GET /a/b HTTP/1.1\r\nHost: localhost@x\r\n", want: undefined },
    { name: "a Host with a blank", head: "GET /a/b HTTP/1.1\r\nHost: a b\r\n", want: undefined },
    {
      name: "a Host that is no address",
      head: "GET /a/b HTTP/1.1\r\nHost: 256.256.256.256\r\n",
      want: undefined,
    },
    { name: "two Hosts", head: "GET /a/b HTTP/1.0\r\nHost: a\r\nHost: b\r\n", want: undefined },
  ];
  for (const { name, head, want } of requests) {
    it(`${want === undefined ? "answers 400 itself" : "gives the whole URL"} when there is ${name}`, async () => {
      const seen: string[] = [];
      const server = await runtime.serveHttp({ hostname: "127.0.0.1", port: 0 }, (request) => {
        seen.push(request.url);
        return new Response("ok\n");
      });
      const answer = await exchange(server.port, `${head}\r\n`);
      assert.match(answer, want === undefined ? /^HTTP\/1\.[01] 400 / : /^HTTP\/1\.[01] 200 /);
      assert.deepEqual(seen, want === undefined ? [] : [want]);
      await server.stop();
    });
  }

  it("answers on the port it names, and 500 when the handler throws or rejects", async () => {
    const faults: string[] = [];
    setFaultReporter((where) => faults.push(where));
    const server = await runtime.serveHttp({ hostname: "127.0.0.1", port: 0 }, (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/throw") throw new Error("secret");
      if (pathname === "/reject") return Promise.reject(new Error("secret"));
      return new Response("ok");
    });
    assert.equal(server.address, `127.0.0.1:${server.port}`);
    const base = `http://${server.address}`;
    assert.equal(await (await fetch(`${base}/`)).text(), "ok");
    for (const path of ["/throw", "/reject"]) {
      const response = await fetch(base + path);
      assert.equal(response.status, 500);
      assert.equal(await response.text(), "internal error\n");
    }
    assert.deepEqual(faults, ["http", "http"]);
    setFaultReporter(undefined);
    await server.stop();
    await assert.rejects(fetch(`${base}/`));
  });

  it("stops when a stream of events is open", async () => {
    let timer: ReturnType<typeof setInterval> | undefined;
    const server = await runtime.serveHttp({ hostname: "127.0.0.1", port: 0 }, () => {
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          timer = setInterval(() => controller.enqueue(new TextEncoder().encode("data: tick\n\n")), 5);
        },
        cancel() {
          clearInterval(timer);
        },
      });
      return new Response(body, { headers: { "content-type": "text/event-stream" } });
    });
    const response = await fetch(`http://${server.address}/`);
    const reader = response.body!.getReader();
    const first = await reader.read();
    assert.match(new TextDecoder().decode(first.value), /^data: tick/);
    await server.stop();
    await assert.rejects(async () => {
      while (!(await reader.read()).done);
      throw new Error("ended");
    });
    clearInterval(timer);
  });

  it("throws address_in_use when the port is taken", async () => {
    const server = await runtime.serveHttp({ hostname: "127.0.0.1", port: 0 }, () => new Response("ok"));
    await assert.rejects(
      runtime.serveHttp({ hostname: "127.0.0.1", port: server.port }, () => new Response("no")),
      (error) => error instanceof ForwarderError && error.code === "address_in_use",
    );
    await server.stop();
  });
});
