import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { parseTokens, TokenFile, tokenOfField } from "../../../src/http/tokens.ts";
import { said, ServiceRig } from "./fake_port.ts";

const dir = mkdtempSync(join(tmpdir(), "corndog-http-"));
after(() => rmSync(dir, { recursive: true }));

let files = 0;

function tokenFile(text: string): string {
  const path = join(dir, `tokens-${files++}`);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

async function settled(holds: () => boolean): Promise<void> {
  const end = Date.now() + 30_000;
  while (!holds()) {
    if (Date.now() > end) throw new Error("Deadline passed");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

describe("IngestService", () => {
  it("answers when the events are as far as was asked", () => {
    const rig = new ServiceRig();
    const waits = rig.send("/v1/ingest/web?key=k", "a\nb");
    assert.equal(waits.answered, undefined);
    const { request, texts, finish } = rig.port.submissions[0]!;
    assert.deepEqual(texts, ["a", "b"]);
    assert.deepEqual([request.topic, request.key, request.until, request.peer], [
      "web",
      "k",
      "kafka",
      "192.0.2.7:4711",
    ]);
    finish();
    assert.deepEqual(said(waits.answered), { status: 200, accepted: 2, durable: true });
    assert.deepEqual(said(rig.send("/v1/ingest?ack=memory", "a").answered), {
      status: 202,
      accepted: 1,
      durable: false,
    });
  });

  describe("with a large body", () => {
    /** A clock that is always late: a turn has one step. */
    const lateRig = () => {
      let now = 1000;
      return new ServiceRig({ nowMs: () => now += 10, bodyBytesMax: 20_000_000 });
    };
    const lines = (count: number) => Array.from({ length: count }, (_, index) => `{"event":${index}}`);
    const count = 9_000;
    const forms = [
      { name: "lines", path: "/v1/ingest?ack=memory", type: "text/plain", join: "\n" },
      { name: "NDJSON", path: "/v1/ingest?ack=memory", type: "application/x-ndjson", join: "\n" },
      { name: "JSON", path: "/v1/ingest?ack=memory", type: "application/json", join: "," },
      { name: "Splunk", path: "/services/collector?ack=memory", type: "application/json", join: "" },
    ];
    for (const { name, path, type, join } of forms) {
      it(`takes all its events, in turns (${name})`, async () => {
        const rig = lateRig();
        const body = lines(count).join(join);
        const sent = rig.send(path, join === "," ? `[${body}]` : body, `Content-Type: ${type}`);
        assert.equal(sent.answered, undefined);
        assert.equal(sent.keeps, true);
        assert.equal(rig.service.openRequests, 1);
        await settled(() => sent.answered !== undefined);
        assert.ok(sent.answered!.status < 300);
        const got = rig.port.submissions[0]!.texts.map((text) => text.slice(text.indexOf("{")));
        assert.deepEqual(got, lines(count));
        assert.equal(rig.service.openRequests, 0);
      });
    }

    it("hands over nothing when the client goes while it is read, and forgets its Idempotency-Key", async () => {
      const rig = lateRig();
      const body = lines(count).join("\n");
      const sent = rig.send("/v1/ingest?ack=memory", body, "Idempotency-Key: k");
      rig.service.gone(sent);
      await settled(() => sent.answered !== undefined);
      assert.equal(sent.answered!.status, 503);
      assert.equal(rig.port.submissions.length, 0);
      const again = rig.send("/v1/ingest?ack=memory", body, "Idempotency-Key: k");
      await settled(() => again.answered !== undefined);
      assert.deepEqual(said(again.answered), { status: 202, accepted: count, durable: false });
    });

    const many = [
      {
        name: "a million lines and one",
        path: "/v1/ingest",
        type: "text/plain",
        body: "a\n".repeat(1_000_001),
      },
      {
        name: "as many log records as its bytes can say",
        path: "/v1/logs",
        type: "application/json",
        body: `{"resourceLogs":[{"scopeLogs":[{"logRecords":[${"{},".repeat(140_000)}{}]}]}]}`,
      },
      {
        name: "records that each get a large resource",
        path: "/v1/logs",
        type: "application/json",
        body: `{"resourceLogs":[{"resource":{"attributes":[{"key":"k","value":{"stringValue":"${
          "x".repeat(900)
        }"}}]},"scopeLogs":[{"logRecords":[${"{},".repeat(100_000)}{}]}]}]}`,
      },
    ];
    for (const { name, path, type, body } of many) {
      it(`refuses ${name}`, async () => {
        const rig = new ServiceRig({ bodyBytesMax: 20_000_000, nowMs: () => performance.now() });
        const sent = rig.send(path, body, `Content-Type: ${type}`);
        await settled(() => sent.answered !== undefined);
        assert.equal(sent.answered!.status, 413);
        assert.equal(rig.port.submissions.length, 0);
      });
    }
  });

  const refusals: { reason: string; status: number; retry: boolean }[] = [
    { reason: "busy", status: 503, retry: true },
    { reason: "spool_full", status: 503, retry: true },
    { reason: "dead_letter_full", status: 503, retry: true },
    { reason: "stopping", status: 503, retry: true },
    { reason: "frame_too_large", status: 413, retry: false },
    { reason: "topic_not_allowed", status: 403, retry: false },
    { reason: "topic_not_legal", status: 400, retry: false },
    { reason: "what is new", status: 503, retry: true },
  ];
  for (const { reason, status, retry } of refusals) {
    it(`answers ${status} when the pipeline refuses with ${reason}`, () => {
      const rig = new ServiceRig();
      rig.port.refusal = { refusal: reason, retryAfterMs: retry ? 4000 : 0, placed: 3 };
      const { answered } = rig.send("/v1/ingest", "a");
      assert.equal(answered!.status, status);
      assert.equal(said(answered)["code"], reason);
      assert.equal(said(answered)["accepted"], 3);
      const after = answered!.fields["retry-after"];
      if (retry) assert.ok(Number(after) >= 4 && Number(after) <= 5, after);
      else assert.equal(after, undefined);
    });
  }

  it("answers 202 spooled when Kafka is late and the disk has it, 503 when only memory has", () => {
    const rig = new ServiceRig({ hasSpool: true });
    const spooled = rig.send("/v1/ingest", "a");
    rig.port.submissions[0]!.finish({ kind: "late", reached: "disk" });
    assert.deepEqual(said(spooled.answered), { status: 202, accepted: 1, durable: true, spooled: true });
    const lost = rig.send("/v1/ingest", "a");
    rig.port.submissions[1]!.finish({ kind: "late", reached: "memory" });
    assert.equal(said(lost.answered)["code"], "ack_timeout");
    assert.equal(lost.answered!.status, 503);
  });

  it("ack=none never waits for room: what finds none is refused at once", () => {
    const rig = new ServiceRig();
    rig.port.full = true;
    const { answered } = rig.send("/v1/ingest?ack=none", "a");
    assert.equal(answered!.status, 503);
    assert.equal(rig.port.cancelled.length, 1);
    rig.port.full = false;
    assert.equal(rig.send("/v1/ingest?ack=none", "a").answered!.status, 202);
  });

  it("keeps the body while its events wait for room, and only then", () => {
    const rig = new ServiceRig();
    assert.equal(rig.send("/v1/ingest", "a").keeps, false);
    rig.port.full = true;
    assert.equal(rig.send("/v1/ingest", "a").keeps, true);
    assert.equal(rig.send("/v1/ingest", '["a"]', "Content-Type: application/json").keeps, false);
  });

  it("takes events back when the client goes while they wait for room, not when they are placed", () => {
    const rig = new ServiceRig();
    rig.service.gone(rig.send("/v1/ingest", "a"));
    assert.equal(rig.port.cancelled.length, 0);
    rig.port.full = true;
    const waits = rig.send("/v1/ingest", "a");
    rig.service.gone(waits);
    assert.equal(rig.port.cancelled.length, 1);
    assert.equal(waits.answered!.body.length, 0, "it is done with, and nobody hears it");
    assert.equal(rig.service.openRequests, 0);
  });

  it("refuses more when others wait for too long, unless the spool has it", () => {
    const rig = new ServiceRig();
    const waits = rig.send("/v1/ingest", "a");
    rig.now += 4_999;
    assert.equal(rig.send("/v1/ingest", "b").answered, undefined);
    rig.now += 1;
    assert.equal(said(rig.send("/v1/ingest", "c").answered)["code"], "queue_too_old");
    assert.equal(rig.send("/v1/ingest?ack=memory", "d").answered!.status, 202);
    rig.port.submissions[0]!.finish();
    assert.equal(waits.answered!.status, 200);
    assert.equal(rig.send("/v1/ingest", "e").answered, undefined);
    const spooled = new ServiceRig({ hasSpool: true });
    spooled.send("/v1/ingest", "a");
    spooled.now += 9_000;
    assert.equal(spooled.send("/v1/ingest", "b").answered, undefined);
  });

  it("decompresses, at once and aside, and refuses what is damaged or too much", async () => {
    const rig = new ServiceRig({ ack: "memory" });
    const gzip = "Content-Encoding: gzip";
    assert.equal(rig.send("/v1/ingest", gzipSync("a\nb"), gzip).answered!.status, 202);
    const large = rig.send("/v1/ingest", gzipSync("x".repeat(900) + "\n" + "y".repeat(90_000)), gzip);
    await settled(() => large.answered !== undefined);
    assert.equal(said(large.answered)["accepted"], 1);
    assert.equal(said(large.answered)["rejected_count"], 1);
    const bomb = rig.send("/v1/ingest", gzipSync("x".repeat(1_000_000)), gzip);
    await settled(() => bomb.answered !== undefined);
    assert.equal(bomb.answered!.status, 413);
    assert.equal(rig.send("/v1/ingest", "no gzip", gzip).answered!.status, 400);
    assert.equal(rig.send("/v1/ingest", "a", "Content-Encoding: br").answered!.status, 415);
  });

  it("answers nobody when the client goes while its body is decompressed", async () => {
    const rig = new ServiceRig({ ack: "memory" });
    let state = 1;
    const noise = Uint8Array.from(
      { length: 90_000 },
      () => (state = Math.imul(state, 48_271) >>> 1) >> 8 & 0xff,
    );
    const exchange = rig.send("/v1/ingest", gzipSync(noise), "Content-Encoding: gzip");
    assert.equal(exchange.keeps, true);
    rig.service.gone(exchange);
    assert.equal(exchange.answered, undefined, "the body is in use");
    await settled(() => rig.service.openRequests === 0);
    assert.equal(exchange.answered!.body.length, 0, "it is done with, and nobody hears it");
    assert.equal(rig.port.submissions.length, 0);
  });

  const wrong: { line: string; status: number; fields?: string[] }[] = [
    { line: "/nowhere", status: 404 },
    { line: "GET /v1/ingest", status: 405 },
    { line: "/v1/ingest/a/b", status: 404 },
    { line: "/logs/_doc", status: 404 },
    { line: "/v1/ingest?ack=yes", status: 400 },
    { line: "/v1/logs", status: 415 },
    { line: "GET /healthz", status: 200 },
    { line: "HEAD /", status: 200 },
    { line: "/healthz", status: 405 },
    { line: "GET /services/collector/health/1.0", status: 200 },
    { line: "/services/collector/ack", status: 400 },
    { line: "/v1/ingest", status: 403, fields: ["Origin: https://evil.example"] },
    { line: "/v1/ingest", status: 400, fields: [`Idempotency-Key: ${"k".repeat(256)}`] },
  ];
  for (const { line, status, fields = [] } of wrong) {
    it(`answers ${status} to ${line} ${fields.join().slice(0, 40)}`, () => {
      assert.equal(new ServiceRig().send(line, "a", ...fields).answered!.status, status);
    });
  }

  it("answers in the words of Elasticsearch where only its clients ask", () => {
    const fieldsOf = (line: string) => new ServiceRig().send(line, "{}").answered!.fields;
    for (const line of ["/logs/_doc", "PUT /logs/_create/1", "GET /_index_template/logs"]) {
      assert.equal(fieldsOf(line)["content-type"], "application/json", line);
      assert.equal(fieldsOf(line)["x-elastic-product"], "Elasticsearch", line);
    }
    assert.equal(fieldsOf("/v1/_doc")["content-type"], "application/problem+json");
  });

  it("answers pages of allowed origins only", () => {
    const rig = new ServiceRig({ origins: ["https://app.example"], ack: "memory" });
    const origin = "Origin: https://app.example";
    const { answered } = rig.send("/v1/ingest", "a", origin);
    assert.equal(answered!.status, 202);
    assert.equal(answered!.fields["access-control-allow-origin"], "https://app.example");
    const preflight = rig.send("OPTIONS /v1/ingest", "", origin, "Access-Control-Request-Method: POST")
      .answered!;
    assert.equal(preflight.status, 204);
    assert.match(preflight.fields["access-control-allow-headers"]!, /authorization/);
    assert.equal(rig.send("/v1/ingest", "a", "Origin: https://app.example.evil").answered!.status, 403);
  });

  it("answers a repeated Idempotency-Key as the first time, and takes nothing again", () => {
    const rig = new ServiceRig();
    const key = "Idempotency-Key: k1";
    const first = rig.send("/v1/ingest", "a\nb", key);
    assert.equal(said(rig.send("/v1/ingest", "a\nb", key).answered)["status"], 409);
    rig.port.submissions[0]!.finish();
    assert.equal(first.answered!.status, 200);
    assert.deepEqual(said(rig.send("/v1/ingest", "a\nb", key).answered), {
      status: 200,
      accepted: 2,
      durable: true,
      replayed: true,
    });
    assert.equal(said(rig.send("/v1/ingest", "other", key).answered)["status"], 422);
    assert.equal(rig.send("/v1/ingest/elsewhere", "other", key).answered, undefined);
    assert.equal(rig.port.submissions.length, 2);
    rig.port.submissions[1]!.finish();
    rig.now += 601_000;
    assert.equal(rig.send("/v1/ingest", "other", key).answered, undefined);
    assert.equal(rig.port.submissions.length, 3);
  });

  it("forgets an Idempotency-Key whose request was refused", () => {
    const rig = new ServiceRig();
    const key = "Idempotency-Key: k2";
    rig.port.refusal = { refusal: "busy" };
    assert.equal(rig.send("/v1/ingest", "a", key).answered!.status, 503);
    rig.port.refusal = undefined;
    const again = rig.send("/v1/ingest", "a", key);
    rig.port.submissions[1]!.finish({ kind: "late", reached: "memory" });
    assert.equal(again.answered!.status, 503);
    rig.send("/v1/ingest", "a", key);
    assert.equal(rig.port.submissions.length, 3);
  });

  it("gives Splunk's senders with a channel an id at once, and says when it is done", () => {
    const rig = new ServiceRig();
    const channel = "X-Splunk-Request-Channel: c";
    const ids = [1, 2, 3].map(() =>
      said(rig.send("/services/collector", '{"event":1}', channel).answered)["ackId"]
    );
    const ask = () =>
      said(rig.send("/services/collector/ack", JSON.stringify({ acks: ids }), channel).answered)["acks"];
    assert.deepEqual(ask(), { [`${ids[0]}`]: false, [`${ids[1]}`]: false, [`${ids[2]}`]: false });
    rig.port.submissions[1]!.finish();
    rig.port.submissions[2]!.finish({ kind: "late", reached: "memory" });
    assert.deepEqual(ask(), { [`${ids[0]}`]: false, [`${ids[1]}`]: true, [`${ids[2]}`]: false });
    rig.port.refusal = { refusal: "busy" };
    assert.equal(rig.send("/services/collector", '{"event":1}', channel).answered!.status, 503);
    const waits = rig.send("/services/collector", '{"event":1}');
    assert.equal(waits.answered!.status, 503);
    rig.port.refusal = undefined;
    assert.equal(rig.send("/services/collector", '{"event":1}').answered, undefined);
  });

  it("words refusals as each protocol does", () => {
    const rig = new ServiceRig();
    rig.port.refusal = { refusal: "busy", retryAfterMs: 1000 };
    const otlp = '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"x"}}]}]}]}';
    assert.deepEqual(said(rig.send("/v1/logs", otlp, "Content-Type: application/json").answered), {
      status: 503,
      code: 14,
      message: "Cannot take this now: what came before waits for memory",
    });
    const bulk = said(rig.send("/_bulk", '{"create":{}}\n{}\n').answered);
    assert.equal(bulk["status"], 429);
    assert.equal(said(rig.send("/services/collector", '{"event":1}').answered)["code"], 9);
    const loki = '{"streams":[{"stream":{},"values":[["1","x"]]}]}';
    const push = rig.send("/loki/api/v1/push", loki, "Content-Type: application/json").answered!;
    assert.equal(push.status, 503);
    for (const line of ["/v1/logs", "/_bulk", "/services/collector", "/loki/api/v1/push"]) {
      assert.ok(line !== "" && push.fields["retry-after"] !== undefined);
    }
  });

  describe("with tokens", () => {
    const secret = "0123456789abcdef-web";
    const other = "0123456789abcdef-batch";
    const hashed = createHash("sha256").update(other).digest("hex");
    const text =
      `# who may\nweb ${secret} topics=web-*,logs rate=10/s\n\nbatch sha256:${hashed} ack=memory bytes=1KiB/s\n`;

    it("takes requests with a token, whatever its clothes, and no others", () => {
      const rig = new ServiceRig({ tokens: new TokenFile(tokenFile(text)), ack: "memory" });
      const basic = (pair: string) => `Authorization: Basic ${btoa(pair)}`;
      const cases: { field: string; status: number; code?: string }[] = [
        { field: "X-None: 1", status: 401, code: "token_needed" },
        { field: `Authorization: Bearer ${secret}`, status: 202 },
        { field: `Authorization: bearer ${other}`, status: 202 },
        { field: `Authorization: Splunk ${other}`, status: 202 },
        { field: basic(`any:${other}`), status: 202 },
        { field: `Authorization: ApiKey ${btoa(`id:${other}`)}`, status: 202 },
        { field: "Authorization: Bearer wrong", status: 401, code: "token_wrong" },
        { field: `Authorization: Bearer ${secret}x`, status: 401, code: "token_wrong" },
        { field: `Authorization: Bearer sha256:${hashed}`, status: 401, code: "token_wrong" },
        { field: basic("no colon"), status: 401, code: "token_wrong" },
        { field: "Authorization: Basic %%%", status: 401, code: "token_needed" },
        { field: `Authorization: Digest ${secret}`, status: 401, code: "token_needed" },
      ];
      for (const { field, status, code } of cases) {
        const { answered } = rig.send("/v1/ingest", "a", field);
        assert.equal(answered!.status, status, field);
        assert.equal(said(answered)["code"], code, field);
      }
      assert.equal(rig.send("GET /healthz", "").answered!.status, 200);
      assert.equal(rig.send("GET /", "").answered!.status, 401);
    });

    it("keeps tokens to their topics, also to the default one", () => {
      const rig = new ServiceRig({ tokens: new TokenFile(tokenFile(text)), ack: "memory" });
      const status = (path: string) =>
        rig.send(path, "a", `Authorization: Bearer ${secret}`).answered!.status;
      assert.equal(status("/v1/ingest"), 202);
      assert.equal(status("/v1/ingest/web-1"), 202);
      assert.equal(status("/v1/ingest/webs"), 403);
      assert.equal(status("/v1/ingest/xweb-1"), 403);
      const strict = new ServiceRig({
        tokens: new TokenFile(tokenFile(`a ${secret} topics=x`)),
        ack: "memory",
      });
      assert.equal(strict.send("/v1/ingest", "a", `Authorization: Bearer ${secret}`).answered!.status, 403);
    });

    it("keeps tokens to their rates, and says when to come again", () => {
      const rig = new ServiceRig({ tokens: new TokenFile(tokenFile(text)), ack: "memory" });
      const send = (token: string, body: string) =>
        rig.send("/v1/ingest", body, `Authorization: Bearer ${token}`).answered!;
      assert.equal(send(secret, "a\n".repeat(10)).status, 202);
      const refused = send(secret, "a\n".repeat(5));
      assert.equal(refused.status, 429);
      assert.equal(refused.fields["retry-after"], "1");
      rig.now += 499;
      assert.equal(send(secret, "a\n".repeat(5)).status, 429);
      rig.now += 1;
      assert.equal(send(secret, "a\n".repeat(5)).status, 202);
      // More than a second's worth passes when the bucket is full, and is paid for after it.
      rig.now += 60_001;
      assert.equal(send(secret, "a\n".repeat(30)).status, 202);
      rig.now += 2_500;
      assert.equal(send(secret, "a\n".repeat(6)).status, 429);
      rig.now += 100;
      assert.equal(send(secret, "a\n".repeat(6)).status, 202);
      assert.equal(send(other, "x".repeat(900)).status, 202);
      assert.equal(send(other, "x".repeat(900)).status, 429);
    });

    it("takes nothing of one rate for what the other refuses", () => {
      const both = `both ${secret} rate=10/s bytes=1KiB/s\n`;
      const rig = new ServiceRig({ tokens: new TokenFile(tokenFile(both)), ack: "memory" });
      const send = (body: string) =>
        rig.send("/v1/ingest", body, `Authorization: Bearer ${secret}`).answered!.status;
      assert.equal(send("x".repeat(900)), 202);
      for (let time = 0; time < 20; time++) assert.equal(send("x".repeat(900)), 429);
      assert.equal(send("a\n".repeat(9)), 202);
    });

    it("reads the file again when it changes, and lets nobody in while it is of no use", () => {
      const path = tokenFile(text);
      const tokens = new TokenFile(path);
      const rig = new ServiceRig({ tokens, ack: "memory" });
      const status = (token: string) =>
        rig.send("/v1/ingest", "a", `Authorization: Bearer ${token}`).answered!.status;
      assert.equal(status(secret), 202);
      assert.equal(tokens.look(), false);
      writeFileSync(path, `new ${secret}-new\n`);
      assert.equal(tokens.look(), true);
      assert.equal(status(secret), 401);
      assert.equal(status(`${secret}-new`), 202);
      writeFileSync(path, "broken\n");
      tokens.look();
      assert.equal(status(`${secret}-new`), 503);
      writeFileSync(path, text);
      chmodSync(path, 0o644);
      tokens.look();
      assert.equal(status(secret), 503);
      chmodSync(path, 0o600);
      tokens.look();
      assert.equal(status(secret), 202);
      rmSync(path);
      assert.equal(tokens.look(), true);
      assert.equal(tokens.look(), false);
      assert.equal(status(secret), 503);
    });

    const bad: { name: string; text: string; want: RegExp }[] = [
      { name: "there is no token", text: "# only words\n", want: /has no token/ },
      { name: "a line is a name alone", text: "web\n", want: /:1: a line is NAME TOKEN/ },
      { name: "a token is short", text: "\nweb short\n", want: /:2: a token has 16 characters/ },
      { name: "a digest is none", text: "web sha256:123\n", want: /64 hex digits/ },
      { name: "a name is there twice", text: `a ${secret}\na ${other}\n`, want: /:2: the name "a"/ },
      { name: "a token is there twice", text: `a ${secret}\nb ${secret}\n`, want: /:2: this token/ },
      { name: "a rate is none", text: `a ${secret} rate=fast\n`, want: /rate=fast is no number/ },
      { name: "a size is none", text: `a ${secret} bytes=1parsec\n`, want: /is no size/ },
      { name: "an ack is none", text: `a ${secret} ack=yes\n`, want: /none of none, memory/ },
      { name: "a scope is none", text: `a ${secret} admin\n`, want: /"admin" is no scope/ },
    ];
    for (const { name, text, want } of bad) {
      it(`parseTokens() names the line when ${name}`, () => {
        const read = parseTokens(text, "t");
        assert.ok(!read.ok);
        assert.match(read.problem, want);
        assert.doesNotMatch(read.problem, /0123456789abcdef/, "no token in a message");
      });
    }

    it("tokenOfField() reads what agents send", () => {
      assert.equal(tokenOfField("Bearer  abc "), "abc");
      assert.equal(tokenOfField(`Basic ${btoa("u:p:q")}`), "p:q");
      assert.equal(tokenOfField(`ApiKey ${btoa("id:0123456789abcdef")}`), "0123456789abcdef");
      assert.equal(tokenOfField("ApiKey 0123456789abcdef0123"), "0123456789abcdef0123", "as one string");
      assert.equal(tokenOfField("ApiKey no-base64_0123456789"), "no-base64_0123456789");
      assert.equal(tokenOfField("abc"), undefined);
      assert.equal(tokenOfField(undefined), undefined);
    });
  });
});
