import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ForwarderError } from "../../../src/core/errors.ts";
import { runtime } from "../../../src/runtime/current.ts";
import { setFaultReporter } from "../../../src/runtime/fault.ts";

describe("serveHttp()", () => {
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
