/**
 * HTTP as senders meet it: curl with every format, rsyslog's omelasticsearch, TLS with client certificates, tokens that
 * change, and what an answer is worth: events that were answered are in the sink, through a drain and through SIGKILL.
 * Runs corndog from source, or the binary where CORNDOG_BINARY names it.
 * Runs on both: @runtimes bun deno
 *
 * @module
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { Corndog, dial, finish, write } from "../support/corndog.ts";
import { until } from "../support/until.ts";
import { type Certificates, makeCertificates } from "../unit/io/certificates.ts";

interface Said {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** Runs curl; status 0 where there was no answer. */
function curl(args: string[], input: string | Uint8Array = ""): Promise<Said> {
  return new Promise((resolve, reject) => {
    const child = spawn("curl", ["-sS", "-i", "--max-time", "30", ...args], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    let output = "";
    child.stdout.on("data", (data) => output += data);
    child.stderr.resume();
    child.on("error", reject);
    child.on("close", () => {
      const text = output.replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, "");
      const [head = "", body = ""] = text.split(/\r\n\r\n(.*)/s);
      resolve({
        status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1] ?? 0),
        head: output.split("\r\n\r\n")[0]!,
        body,
      });
    });
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}

/** All values that the file sink wrote, in the order of each file. */
async function written(dir: string): Promise<string[]> {
  const values: string[] = [];
  for (const topic of await readdir(join(dir, "out")).catch(() => [])) {
    const folder = join(dir, "out", topic);
    for (const name of (await readdir(folder)).filter((one) => one.endsWith(".ndjson")).sort()) {
      for (const row of (await readFile(join(folder, name), "utf8")).split("\n")) {
        if (row.endsWith("}")) values.push(JSON.parse(row).value);
      }
    }
  }
  return values;
}

const config = (more = "", listener = "") => `
listen:
  - http: http://127.0.0.1:0
${listener}
admin: { listen: "127.0.0.1:0" }
sink: file
file: { dir: out }
kafka: { topics: { allow: ["*"] } }
workers: 2
${more}`;

describe("corndog over HTTP", () => {
  let corndog: Corndog;
  let url: string;

  before(async () => {
    corndog = await (await Corndog.start(config())).started();
    url = `http://127.0.0.1:${corndog.port("http")}`;
  });
  after(() => corndog.dispose());

  const formats: {
    name: string;
    type: string;
    body: string | Uint8Array;
    want: string[];
    args?: string[];
  }[] = [
    { name: "lines", type: "text/plain", body: "f-line 1\r\nf-line 2\n", want: ["f-line 1", "f-line 2"] },
    {
      name: "NDJSON",
      type: "application/x-ndjson",
      body: '{"f":"nd 1"}\n{"f":"nd 2"}\n',
      want: ['{"f":"nd 1"}', '{"f":"nd 2"}'],
    },
    {
      name: "an array",
      type: "application/json",
      body: '[{"f": "array"},\n"f-array text"]',
      want: ['{"f": "array"}', "f-array text"],
    },
    {
      name: "syslog frames",
      type: "application/syslog",
      body: "13 <13>f-octet 1" + "13 <13>f-octet 2",
      want: ["<13>f-octet 1", "<13>f-octet 2"],
    },
    { name: "one event", type: "application/octet-stream", body: "f-one\nevent\n", want: ["f-one\nevent\n"] },
    {
      name: "gzip",
      type: "text/plain",
      body: gzipSync("f-gzip 1\nf-gzip 2"),
      want: ["f-gzip 1", "f-gzip 2"],
      args: ["-H", "Content-Encoding: gzip"],
    },
    {
      name: "zstd in chunks",
      type: "text/plain",
      body: zstdCompressSync("f-zstd 1\nf-zstd 2"),
      want: ["f-zstd 1", "f-zstd 2"],
      args: ["-H", "Content-Encoding: zstd", "-H", "Transfer-Encoding: chunked"],
    },
  ];
  for (const { name, type, body, want, args = [] } of formats) {
    it(`takes ${name} from curl and has them in the sink when it answers`, async () => {
      const said = await curl([
        ...args,
        "-H",
        `Content-Type: ${type}`,
        "--data-binary",
        "@-",
        `${url}/v1/ingest`,
      ], body);
      assert.equal(said.status, 200, said.body);
      if (type !== "application/syslog") assert.equal(JSON.parse(said.body).accepted, want.length);
      const values = await written(corndog.dir);
      for (const value of want) assert.ok(values.includes(value), value);
    });
  }

  it("takes a body of 6 MiB for which curl asks first, and refuses one of 9 MiB without reading it", async () => {
    const line = "f-large " + "x".repeat(1016);
    const expect = ["-H", "Expect: 100-continue", "-H", "Content-Type: text/plain", "--data-binary", "@-"];
    const said = await curl([...expect, `${url}/v1/ingest`], `${line}\n`.repeat(6 * 1024));
    assert.match(said.head, /100 Continue/);
    assert.deepEqual([said.status, JSON.parse(said.body).accepted], [200, 6 * 1024]);
    const refused = await curl([...expect, `${url}/v1/ingest`], `${line}\n`.repeat(9 * 1024));
    assert.equal(refused.status, 413, refused.body);
    assert.equal(JSON.parse(refused.body).bytes_max, 8 * 1024 * 1024);
    const values = await written(corndog.dir);
    assert.equal(values.filter((value) => value === line).length, 6 * 1024);
  });

  it("takes large bodies one after the other on one connection, byte for byte", async () => {
    const socket = await dial(corndog.port("http"));
    let text = "";
    socket.on("data", (data) => text += data);
    const sent: string[] = [];
    for (let round = 0; round < 6; round++) {
      // Large enough that the runtime uses the memory of what it read again at once.
      const lines = Array.from({ length: 600 }, (_, index) => `f-again ${round} ${index} ${"x".repeat(100)}`);
      const body = lines.join("\n");
      const framing = round < 3 ? `Content-Length: ${body.length}` : "Transfer-Encoding: chunked";
      const head = `POST /v1/ingest HTTP/1.1\r\nHost: h\r\n${framing}\r\n\r\n`;
      await write(
        socket,
        round < 3 ? head + body : `${head}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
      );
      await until("the answer", () => text.split("HTTP/1.1 200").length === round + 2 || undefined, 15_000);
      assert.ok(text.endsWith('{"accepted":600,"durable":true}\n'), text);
      sent.push(...lines);
    }
    await finish(socket);
    assert.deepEqual((await written(corndog.dir)).filter((value) => value.startsWith("f-again")), sent);
  });

  it("speaks the words of Splunk, Loki, OpenTelemetry and Elasticsearch", async () => {
    const json = ["-H", "Content-Type: application/json", "--data-binary", "@-"];
    const hec = await curl(
      [...json, "-H", "Authorization: Splunk x", `${url}/services/collector/event`],
      '{"event":"hec 1"}{"event":"hec 2"}',
    );
    assert.deepEqual([hec.status, JSON.parse(hec.body)], [200, { text: "Success", code: 0 }]);
    const loki = await curl(
      [...json, `${url}/loki/api/v1/push`],
      '{"streams":[{"stream":{"job":"j"},"values":[["1700000000000000000","loki 1"]]}]}',
    );
    assert.equal(loki.status, 204);
    const otlp = await curl(
      [...json, `${url}/v1/logs`],
      '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"otlp 1"}}]}]}]}',
    );
    assert.deepEqual([otlp.status, otlp.body], [200, "{}\n"]);
    const bulk = await curl([...json, `${url}/_bulk`], '{"index":{"_index":"i"}}\n{"elastic":1}\n');
    assert.deepEqual([bulk.status, JSON.parse(bulk.body).items[0].index.status], [200, 201]);
    assert.match((await curl([`${url}/`])).head, /x-elastic-product: Elasticsearch/);
    const values = await written(corndog.dir);
    for (const part of ['{"event":"hec 2"}', '"line":"loki 1"', '{"body":"otlp 1"}', '{"elastic":1}']) {
      assert.ok(values.some((value) => value.includes(part)), part);
    }
  });

  it("takes the events of a repeated Idempotency-Key once, whichever worker has the connection", async () => {
    const send = () => curl(["-H", "Idempotency-Key: once", "--data-binary", "f-once", `${url}/v1/ingest`]);
    const first = await send();
    assert.equal(first.status, 200, first.body);
    const again = await Promise.all(Array.from({ length: 12 }, send));
    assert.deepEqual(again.map(({ status }) => status), again.map(() => 200));
    assert.ok(again.every(({ body }) => JSON.parse(body).replayed === true));
    assert.equal((await written(corndog.dir)).filter((value) => value === "f-once").length, 1);
  });

  it("answers pipelined requests in order, and ends when the client half-closes", async () => {
    const socket = await dial(corndog.port("http"));
    let text = "";
    socket.on("data", (data) => text += data);
    const one = (body: string) =>
      `POST /v1/ingest HTTP/1.1\r\nHost: h\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    await write(
      socket,
      one("f-pipe 1") + one("f-pipe 2\nf-pipe 3") + "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n",
    );
    await finish(socket);
    assert.deepEqual(text.match(/"(?:accepted":\d|status":"ok)/g), [
      '"accepted":1',
      '"accepted":2',
      '"status":"ok',
    ]);
    const values = await written(corndog.dir);
    const order = values.filter((value) => value.startsWith("f-pipe"));
    assert.deepEqual(order, ["f-pipe 1", "f-pipe 2", "f-pipe 3"]);
  });

  it("takes events of rsyslog's omelasticsearch", async () => {
    const dir = await mkdtemp(join(tmpdir(), "corndog-omelastic-"));
    const messages = Array.from({ length: 200 }, (_, i) => `omelastic ${i} "quoted" ä`);
    await writeFile(join(dir, "in.log"), messages.map((message) => `${message}\n`).join(""));
    await writeFile(
      join(dir, "rsyslog.conf"),
      `global(workDirectory="${dir}" maxMessageSize="8k")
module(load="imfile" PollingInterval="1")
module(load="omelasticsearch")
template(name="doc" type="list" option.jsonf="on") {
  property(outname="message" name="msg" format="jsonf")
  property(outname="host" name="hostname" format="jsonf")
}
input(type="imfile" File="${dir}/in.log" Tag="t:" addMetadata="off")
action(type="omelasticsearch" server="127.0.0.1" serverport="${corndog.port("http")}" usehttps="off"
  template="doc" searchIndex="rsyslog-index" bulkmode="on" maxbytes="64k" errorFile="${dir}/errors"
  action.resumeRetryCount="-1" queue.type="linkedList" queue.dequeueBatchSize="64")
`,
    );
    const daemon = spawn("rsyslogd", ["-n", "-f", join(dir, "rsyslog.conf"), "-i", join(dir, "pid")], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    daemon.stdout.on("data", (data) => output += data);
    daemon.stderr.on("data", (data) => output += data);
    try {
      const got = await until(`events of omelasticsearch`, async () => {
        const values = (await written(corndog.dir)).filter((value) => value.includes("omelastic "));
        return values.length >= messages.length ? values : undefined;
      }).catch(async (error) => {
        throw new Error(`${error}; ${output} ${await readFile(join(dir, "errors"), "utf8").catch(() => "")}`);
      });
      const seen = new Set(got.map((value) => JSON.parse(value).message.trim()));
      assert.deepEqual(messages.filter((message) => !seen.has(message)), []);
    } finally {
      process.kill(daemon.pid!, "SIGTERM");
      await new Promise((resolve) => daemon.once("close", resolve));
      await rm(dir, { recursive: true, force: true });
    }
  });

  it("balances its books, and counts requests", async () => {
    const { ledger } = await corndog.statsWhen(
      "all delivered and counted",
      ({ ledger, totals }) =>
        ledger.in_flight === 0 && totals.http_requests > 20 && totals.http_failures >= 1,
    );
    assert.equal(ledger.balanced, true);
    const metrics = await (await fetch(`${corndog.admin}/metrics`)).text();
    assert.match(metrics, /corndog_http_requests_total \d+/);
  });
});

describe("corndog over HTTPS with tokens", () => {
  let certificates: Certificates;
  let corndog: Corndog;
  let url: string;
  const token = "0123456789abcdef0123";

  before(async () => {
    certificates = makeCertificates();
    const { file } = certificates;
    await writeFile(
      file("tokens"),
      `web ${token} topics=web-* rate=5/s
`,
      { mode: 0o600 },
    );
    corndog = await (await Corndog.start(`
listen:
  - http: https://127.0.0.1:0
    tls: { cert: ${file("server.crt")}, key: ${file("server.key")}, ca: ${file("ca.crt")}, client: require }
    tokens_file: ${file("tokens")}
admin: { listen: "127.0.0.1:0" }
sink: file
file: { dir: out }
kafka: { topics: { allow: ["web-*", "other"] } }
`)).started();
    url = `https://127.0.0.1:${corndog.port("https")}`;
  });
  after(async () => {
    await corndog?.dispose();
    await rm(certificates.dir, { recursive: true, force: true });
  });

  const send = (path: string, body: string, ...args: string[]) => {
    const { file } = certificates;
    const pair = ["--cacert", file("ca.crt"), "--cert", file("client.crt"), "--key", file("client.key")];
    return curl([...pair, ...args, "--data-binary", body, `${url}${path}`]);
  };

  it("takes nothing without a certificate, and nothing without a token", async () => {
    const bare = await curl([
      "--cacert",
      certificates.file("ca.crt"),
      "--data-binary",
      "x",
      `${url}/v1/ingest/web-1`,
    ]);
    assert.equal(bare.status, 0);
    assert.equal((await send("/v1/ingest/web-1", "x")).status, 401);
    assert.equal(
      (await send("/v1/ingest/web-1", "x", "-H", "Authorization: Bearer nonsense-nonsense")).status,
      401,
    );
    assert.deepEqual(await written(corndog.dir), []);
  });

  it("keeps a token to its topics and its rate, and to the file as it is now", async () => {
    const bearer = ["-H", `Authorization: Bearer ${token}`];
    assert.equal((await send("/v1/ingest/web-1", "tls 1", ...bearer)).status, 200);
    assert.equal((await send("/v1/ingest/other", "tls 2", ...bearer)).status, 403);
    const many = await send("/v1/ingest/web-1", "x\n".repeat(50), ...bearer);
    const over = await send("/v1/ingest/web-1", "y\n".repeat(50), ...bearer);
    assert.ok(many.status === 429 || over.status === 429, `${many.status} ${over.status}`);
    assert.match(many.head + over.head, /retry-after: \d+/);
    await writeFile(certificates.file("tokens"), "new 9876543210fedcba9876\n");
    await until("the new token", async () => {
      const said = await send(
        "/v1/ingest/web-1",
        "tls 3",
        "-H",
        "Authorization: Bearer 9876543210fedcba9876",
      );
      return said.status === 200 || undefined;
    });
    // Each worker looks at the file once a second.
    let refused = 0;
    await until("the old token is refused everywhere", async () => {
      const said = await send("/v1/ingest/web-1", "late", ...bearer);
      refused = said.status === 401 ? refused + 1 : 0;
      return refused >= 12 || undefined;
    });
    const values = await written(corndog.dir);
    assert.ok(values.includes("tls 1") && values.includes("tls 3"));
    assert.ok(!values.includes("tls 2"));
  });
});

/** Senders on kept connections that write down what was answered with 200. */
class Senders {
  readonly answered: string[] = [];
  readonly statuses = new Map<number, number>();
  sent = 0;
  #stopping = false;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 32 });
  readonly #running: Promise<void>[];

  constructor(readonly port: number, count: number) {
    this.#running = Array.from({ length: count }, (_, sender) => this.#run(sender));
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#running);
    this.#agent.destroy();
  }

  async #run(sender: number): Promise<void> {
    for (let i = 0; !this.#stopping; i++) {
      const event = `event ${sender} ${i}`;
      this.sent++;
      const status = await this.#post(event);
      this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
      if (status === 200) this.answered.push(event);
      if (status === 0) return;
    }
  }

  #post(event: string): Promise<number> {
    return new Promise((resolve) => {
      const sending = request({
        port: this.port,
        host: "127.0.0.1",
        method: "POST",
        path: "/v1/ingest",
        agent: this.#agent,
        headers: { "content-type": "text/plain", "content-length": event.length },
      }, (response) => {
        response.resume();
        response.on("end", () => resolve(response.statusCode ?? 0));
        response.on("error", () => resolve(0));
      });
      sending.on("error", () => resolve(0));
      sending.end(event);
    });
  }
}

describe("answers of corndog over HTTP", () => {
  it("are worth what they say when it is drained under load: no event is lost, no answer is owed", async () => {
    const corndog = await (await Corndog.start(config("drain_timeout: 10s"))).started();
    try {
      const senders = new Senders(corndog.port("http"), 16);
      await until("1,000 answers", () => senders.answered.length > 1000 || undefined, 30_000);
      assert.equal(await corndog.stop(), 0);
      await senders.stop();
      const values = new Set(await written(corndog.dir));
      assert.deepEqual(senders.answered.filter((event) => !values.has(event)), []);
      for (const [status] of senders.statuses) assert.ok([0, 200, 503].includes(status), `status ${status}`);
      // What was not answered is one request of each sender at most.
      assert.ok(senders.sent - senders.answered.length <= 16 + (senders.statuses.get(503) ?? 0));
    } finally {
      await corndog.dispose();
    }
  });

  it("are worth what they say when it is killed", async () => {
    const corndog = await (await Corndog.start(config())).started();
    try {
      const senders = new Senders(corndog.port("http"), 16);
      await until("1,000 answers", () => senders.answered.length > 1000 || undefined, 30_000);
      corndog.signal("SIGKILL");
      await senders.stop();
      await corndog.ended();
      const values = new Set(await written(corndog.dir));
      assert.deepEqual(senders.answered.filter((event) => !values.has(event)), []);
    } finally {
      await corndog.dispose();
    }
  });

  it("come on 600 connections at once, and again after a churn of 2,000 short ones", async () => {
    const corndog = await (await Corndog.start(config())).started();
    try {
      const port = corndog.port("http");
      const one = (body: string) =>
        `POST /v1/ingest HTTP/1.1\r\nHost: h\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      const sockets = await Promise.all(Array.from({ length: 600 }, () => dial(port)));
      let answers = 0;
      for (const socket of sockets) socket.on("data", () => answers++);
      await Promise.all(sockets.map((socket, i) => write(socket, one(`held ${i}`))));
      await until("600 answers", () => answers >= 600 || undefined, 30_000);
      for (let round = 0; round < 20; round++) {
        await Promise.all(Array.from({ length: 100 }, async (_, i) => {
          const socket = await dial(port);
          if (i % 3 === 0) return void socket.destroy();
          await write(socket, one(`churn ${round} ${i}`));
          if (i % 3 === 1) await finish(socket);
          else socket.destroy();
        }));
      }
      const asked = performance.now();
      const said = await curl(["--data-binary", "after the churn", `http://127.0.0.1:${port}/v1/ingest`]);
      assert.equal(said.status, 200);
      assert.ok(performance.now() - asked < 15_000, `${performance.now() - asked} ms`);
      sockets.forEach((socket) => socket.destroy());
      await corndog.statsWhen("connections closed", ({ totals }) => totals.connections_open === 0);
      const values = await written(corndog.dir);
      assert.equal(values.filter((value) => value.startsWith("held ")).length, 600);
    } finally {
      await corndog.dispose();
    }
  });
});
