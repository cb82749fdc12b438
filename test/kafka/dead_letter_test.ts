/**
 * Dead letters of a running corndog in a real topic and in the file, and the replay that brings them home.
 * Runs on both: @runtimes bun deno
 *
 * @module
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { Corndog, corndogCommand, dial, finish, write } from "../support/corndog.ts";
import { freePort } from "../support/free_port.ts";
import { type KafkaRecord, needs, sharedKafka, uniqueTopic, values } from "./harness/kafka.ts";

const slow = { timeout: 240_000 };

/** Lines choose their topic by `topic`; `bad` fails a rule. */
function config(bootstrap: string, topic: string, allow: string, dead: string, port: number): string {
  return `
listen: [{ syslog: "tcp://127.0.0.1:${port}" }]
admin: { listen: "127.0.0.1:0" }
sink: kafka
kafka: { brokers: ["${bootstrap}"], topic: "${topic}", topic_wait: 2s, topics: { allow: ["${allow}"] } }
dead_letter: { topic: "${dead}", file: dead_letter.ndjson }
workers: 2
rules:
  - name: mail
    contains: "@"
    actions: [{ type: redact, patterns: [email] }]
  - name: no-json
    field: msg
    prefix: bad
    actions: [{ type: merge, json: { a: 1 } }, { type: forward, topic: "${topic}" }]
  - name: chosen
    jmespath: topic
    actions: [{ type: forward, topic: "{{value}}", key: "{{hostname}}", headers: { from: "{{peer}}" } }]
`;
}

/** Runs a command of corndog in its directory. */
function corndogSays(dir: string, ...args: string[]): Promise<{ code: number; out: string }> {
  const [command, ...first] = corndogCommand();
  return new Promise((resolve) => {
    execFile(command!, [...first, ...args], { cwd: dir, env: process.env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), out: `${stdout}${stderr}` });
    });
  });
}

async function send(corndog: Corndog, port: number, lines: readonly string[]): Promise<void> {
  const socket = await dial(port);
  await write(socket, lines.map((line) => `<13>1 - web app - - - ${line}\n`).join(""));
  await finish(socket);
  assert.equal(corndog.exitCode, undefined);
}

const headersOf = (record: KafkaRecord): Record<string, string> =>
  Object.fromEntries(
    record.headers.split(/,(?=corndog\.|from=)/).map((pair) => {
      const equals = pair.indexOf("=");
      return [pair.slice(0, equals), pair.slice(equals + 1)];
    }),
  );

describe("corndog's dead letters", { skip: needs.realBroker }, () => {
  it(
    "lie in the topic with their reasons, and a replay brings all of them home once the cause is gone",
    slow,
    async () => {
      const kafka = await sharedKafka();
      const topic = await kafka.createTopic("letters");
      const dead = await kafka.createTopic("dead", { partitions: 2 });
      const [gone, secret] = [uniqueTopic("gone"), uniqueTopic("secret")];
      const port = await freePort();
      const text = config(kafka.bootstrap, topic, "gone*", dead, port);
      const corndog = await (await Corndog.start(text)).started();
      try {
        const lines: string[] = [];
        for (let id = 0; id < 50; id++) {
          lines.push(`bad ${id} of a@example.org`);
          lines.push(`{"topic":"${secret}","id":${id}}`);
          lines.push(`{"topic":"${gone}","id":${id}}`);
          lines.push(`{"topic":"${dead}","id":${id}}`);
          lines.push(`fine ${id}`);
        }
        await send(corndog, port, lines);
        const { ledger, dead_letter: letters } = await corndog.statsWhen(
          "200 dead letters",
          ({ ledger }) => ledger.dead_lettered === 200 && ledger.delivered === 50,
          60_000,
        );
        assert.equal(ledger.balanced, true);
        assert.equal(letters!.topic!.lines, 200);
        assert.equal(letters!.file.lines, 0);
        assert.deepEqual(letters!.reasons, {
          merge_not_json: 50,
          topic_is_dead_letter: 50,
          topic_not_allowed: 50,
          unknown_topic: 50,
        });
        const records = await kafka.readUntil(dead, 200);
        const byReason = Map.groupBy(records, (record) => headersOf(record)["corndog.reason"]!);
        const [rule] = byReason.get("merge_not_json")!;
        assert.equal(headersOf(rule!)["corndog.kind"], "line");
        assert.equal(headersOf(rule!)["corndog.rule"], "no-json");
        assert.equal(headersOf(rule!)["corndog.redacted"], "true");
        assert.match(values([rule!])[0]!, /^<13>1 - web app - - - bad \d+ of \[email\]$/);
        const [refused] = byReason.get("unknown_topic")!;
        const headers = headersOf(refused!);
        assert.equal(headers["corndog.kind"], "record");
        assert.equal(headers["corndog.topic"], gone);
        assert.match(headers["from"]!, /^127\.0\.0\.1:\d+$/);
        assert.equal(Buffer.from(refused!.key!).toString(), "web");
        assert.match(
          headersOf(byReason.get("topic_not_allowed")![0]!)["corndog.peer"]!,
          /^127\.0\.0\.1:\d+$/,
        );

        const ls = await corndogSays(corndog.dir, "deadletter", "ls", "-c", "corndog.yml", "--json");
        assert.equal(ls.code, 0, ls.out);
        const summaries = JSON.parse(ls.out) as { source: string; letters: number }[];
        assert.deepEqual(summaries.map(({ letters }) => letters), [0, 200]);
        assert.equal(summaries[1]!.source, `topic ${dead}`);

        // The cause of one reason is gone; the others stay where they are.
        await kafka.createTopic(gone, { exactName: true });
        const only = await corndogSays(
          ...[corndog.dir, "deadletter", "replay", "-c", "corndog.yml", "--reason", "unknown_topic"] as const,
        );
        assert.equal(only.code, 0, only.out);
        assert.match(only.out, /^50 dead letters replayed$/m);
        const home = await kafka.readUntil(gone, 50);
        assert.equal(home.length, 50);
        assert.deepEqual(new Set(values(home).map((value) => JSON.parse(value).id)).size, 50);
        assert.ok(
          home.every((record) =>
            record.headers.startsWith("from=127.0.0.1:") && !record.headers.includes("corndog.")
          ),
        );
        assert.ok(home.every((record) => Buffer.from(record.key!).toString() === "web"));

        // The rules are mended; lines go through them again.
        assert.equal(await corndog.stop(), 0);
        await kafka.createTopic(secret, { exactName: true });
        const mended = text.replace("gone*", "*").replace("prefix: bad", "prefix: never");
        writeFileSync(join(corndog.dir, "corndog.yml"), mended);
        const again = Corndog.spawn(corndog.dir, ["run", "-c", "corndog.yml"]);
        try {
          await again.started();
          const rest = await corndogSays(corndog.dir, "deadletter", "replay", "-c", "corndog.yml");
          assert.equal(rest.code, 0, rest.out);
          assert.match(rest.out, /^150 dead letters replayed$/m);
          const { ledger } = await again.statsWhen(
            "150 received",
            ({ ledger }) => ledger.received === 150 && ledger.in_flight === 0,
            60_000,
          );
          // What chose the topic of the dead letters is refused again, and that is a new letter.
          assert.equal(ledger.dead_lettered, 50);
          assert.equal(ledger.balanced, true);
          assert.equal((await kafka.readUntil(secret, 50)).length, 50);
          const nothing = await corndogSays(
            ...[
              corndog.dir,
              "deadletter",
              "replay",
              "-c",
              "corndog.yml",
              "--reason",
              "merge_not_json",
            ] as const,
          );
          assert.match(nothing.out, /^0 dead letters replayed$/m);
          assert.equal(await again.stop(), 0);
        } finally {
          if (again.exitCode === undefined) again.signal("SIGKILL");
          await again.ended();
        }
      } finally {
        await corndog.dispose();
      }
    },
  );

  it("go to the file when the topic is not there, and a replay of the file does the rest", slow, async () => {
    const kafka = await sharedKafka();
    const topic = await kafka.createTopic("letters");
    const [gone, dead] = [uniqueTopic("gone"), uniqueTopic("dead")];
    const port = await freePort();
    const corndog = await (await Corndog.start(config(kafka.bootstrap, topic, "*", dead, port))).started();
    try {
      const lines = Array.from(
        { length: 100 },
        (_, id) => id % 2 === 0 ? `bad ${id}` : `{"topic":"${gone}","id":${id}}`,
      );
      await send(corndog, port, lines);
      const { dead_letter: letters, ledger } = await corndog.statsWhen(
        "100 dead letters",
        ({ ledger }) => ledger.dead_lettered === 100,
        60_000,
      );
      assert.equal(ledger.balanced, true);
      assert.equal(letters!.file.lines, 100);
      assert.equal(letters!.topic!.lines, 0);
      await corndog.event("dead_letter_topic_refused");
      const file = readFileSync(join(corndog.dir, "dead_letter.ndjson"), "utf8").trim().split("\n").map((
        line,
      ) => JSON.parse(line));
      assert.equal(file.length, 100);
      assert.ok(file.some(({ undeliverable }) => undeliverable === "unknown_topic"));
      assert.ok(
        file.every(({ headers }) => !Object.keys(headers ?? {}).some((name) => name.startsWith("corndog."))),
      );
      // Still missing: refused again, to a file of its own; then it is made.
      const replay = (...more: string[]) =>
        corndogSays(
          corndog.dir,
          "deadletter",
          "replay",
          "-c",
          "corndog.yml",
          "--reason",
          "unknown_topic",
          ...more,
        );
      const dry = await replay("--dry-run");
      assert.match(dry.out, new RegExp(`to topic ${gone}: unknown_topic: .*"id":1`));
      assert.match(dry.out, /^50 dead letters would be replayed/m);
      const early = await replay("--limit", "10");
      assert.equal(early.code, 1, early.out);
      assert.match(
        early.out,
        /^10 dead letters refused again by Kafka, now in .*dead_letter\.ndjson\.refused$/m,
      );
      await kafka.createTopic(gone, { exactName: true });
      const rest = await replay();
      assert.equal(rest.code, 0, rest.out);
      const refused = await corndogSays(
        ...[corndog.dir, "deadletter", "replay", "dead_letter.ndjson.refused", "-c", "corndog.yml"] as const,
      );
      assert.match(refused.out, /^10 dead letters replayed$/m);
      const home = values(await kafka.readUntil(gone, 50)).map((value) => JSON.parse(value).id as number);
      assert.deepEqual(home.sort((a, b) => a - b), Array.from({ length: 50 }, (_, index) => 2 * index + 1));
      assert.equal(await corndog.stop(), 0);
    } finally {
      await corndog.dispose();
    }
  });
});
