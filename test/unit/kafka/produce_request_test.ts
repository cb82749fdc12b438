/** The wire: requests as a broker reads them, answers cut, changed and invented. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import fc from "fast-check";
import { headroomBytes } from "../../../src/batch/record_batch.ts";
import { answersOf, type InFlightRequest } from "../../../src/kafka/in_flight.ts";
import {
  clientIdBytesMax,
  ProduceWriter,
  readProduceAnswer,
  type RequestPart,
} from "../../../src/kafka/produce_request.ts";
import { createKernel } from "../../../src/kernel/instance.ts";
import { batchHeaderBytes } from "../../../src/kernel/kernel.ts";
import { readRequest, writeAnswer } from "./wire.ts";

const kernel = createKernel({
  arenaBytes: 256 * 1024,
  frameBytesMax: 1024,
  pieceBytes: 1024,
  scratchBytes: 1024,
});
const memory = Buffer.from(kernel.bytes.buffer, kernel.bytes.byteOffset, kernel.bytes.byteLength);

/** A sealed batch of one record in slot `slot`. */
function sealed(slot: number, value: string): { at: number; end: number } {
  const at = kernel.arenaAt + slot * 4096 + headroomBytes;
  const length = memory.write(value, kernel.scratchAt);
  const end = kernel.encodeRecord(at + batchHeaderBytes, 0, 0, 0, -1, kernel.scratchAt, length, 0, 0);
  kernel.sealBatch(at, end, 1, 0, 0, 5n, 1, slot, 0, -1);
  return { at, end };
}

const version = fc.constantFrom(7, 8);

describe("ProduceWriter", () => {
  it("write() makes a request that a broker reads back, in place, for any topics and partitions", () => {
    const name = fc.stringMatching(/^[a-zA-Z0-9._-]{1,249}$/);
    const shape = fc.uniqueArray(fc.tuple(name, fc.integer({ min: 1, max: 4 })), {
      minLength: 1,
      maxLength: 4,
      selector: ([topic]) => topic,
    });
    const clientOf = fc.stringMatching(/^[a-z]{0,223}$/);
    fc.assert(
      fc.property(
        shape,
        fc.nat(2 ** 31 - 1),
        clientOf,
        version,
        (topics, correlationId, clientId, version) => {
          const writer = new ProduceWriter(memory, { clientId: Buffer.from(clientId), timeoutMs: 1234 });
          const parts: RequestPart[] = [];
          const wanted: unknown[] = [];
          for (const [topic, partitions] of topics) {
            const bytes = Buffer.from(topic);
            for (let partition = 0; partition < partitions; partition++) {
              const value = `${topic}/${partition}`.slice(0, 300);
              parts.push({ topic: bytes, partition, ...sealed(parts.length, value) });
              wanted.push({ topic, partition, value });
            }
          }
          const views = writer.write(correlationId, version, parts);
          assert.equal(views.length, parts.length);
          assert.ok(views.every((view) => view.buffer === memory.buffer));
          const request = readRequest(Buffer.concat(views));
          assert.deepEqual(
            { ...request, parts: undefined },
            { apiKey: 0, version, correlationId, clientId, acks: -1, timeoutMs: 1234, parts: undefined },
          );
          assert.deepEqual(
            request.parts.map(({ topic, partition, batch }) => ({
              topic,
              partition,
              value: batch.values[0],
            })),
            wanted,
          );
        },
      ),
      { numRuns: 200, seed: 7 },
    );
  });

  it("write() stays in the headroom when client id and topic name are as long as they may be", () => {
    const clientId = Buffer.alloc(clientIdBytesMax, "c");
    const writer = new ProduceWriter(memory, { clientId, timeoutMs: 1 });
    const at = kernel.arenaAt + headroomBytes;
    const [view] = writer.write(1, 8, [{ topic: Buffer.alloc(249, "t"), partition: 0, ...sealed(0, "x") }]);
    assert.equal(view.byteOffset, at - headroomBytes + memory.byteOffset);
    assert.throws(() =>
      new ProduceWriter(memory, { clientId: Buffer.alloc(clientIdBytesMax + 1), timeoutMs: 1 })
    );
    assert.throws(() =>
      writer.write(1, 8, [{ topic: Buffer.alloc(250, "t"), partition: 0, ...sealed(0, "x") }])
    );
  });
});

const answerOf = fc.array(
  fc.record({
    topic: fc.stringMatching(/^[a-z]{1,20}$/),
    partition: fc.nat(1000),
    errorCode: fc.integer({ min: -1, max: 130 }),
    badRecords: fc.array(fc.nat(1000), { maxLength: 3 }),
  }),
  { maxLength: 8 },
);

describe("readProduceAnswer()", () => {
  it("gives back every partition when the answer is whole", () => {
    fc.assert(
      fc.property(answerOf, fc.nat(10_000), version, (parts, throttleMs, version) => {
        const answer = readProduceAnswer(writeAnswer(parts, throttleMs, version), version);
        assert.ok(answer.ok);
        assert.equal(answer.throttleMs, throttleMs);
        const wanted = parts.map((part) => ({
          ...part,
          badRecords: version === 8 ? part.badRecords : [],
          message: version === 8 && part.badRecords.length > 0 ? "bad" : undefined,
        }));
        const sorted = (all: readonly { topic: string; partition: number }[]) =>
          [...all].sort((a, b) => a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.partition - b.partition);
        const ours = answer.partitions.map((part) => ({ ...part, badRecords: [...part.badRecords] }));
        assert.deepEqual(
          sorted(ours).map(({ topic, partition }) => [topic, partition]),
          sorted(wanted).map(({ topic, partition }) => [topic, partition]),
        );
        const text = (all: readonly object[]) =>
          all.map((part) => JSON.stringify(part, Object.keys(part).sort())).sort();
        assert.deepEqual(text(ours), text(wanted));
      }),
      { numRuns: 300, seed: 8 },
    );
  });

  it("gives a fault when the answer is cut anywhere or longer than it says", () => {
    for (const version of [7, 8]) {
      const parts = [
        { topic: "a", partition: 0, errorCode: 0 },
        { topic: "b", partition: 1, errorCode: 87, badRecords: [0, 7] },
      ];
      const whole = writeAnswer(parts, 0, version);
      assert.equal(readProduceAnswer(whole, version).ok, true);
      for (let length = 0; length < whole.length; length++) {
        assert.equal(readProduceAnswer(whole.subarray(0, length), version).ok, false, `cut at ${length}`);
      }
      assert.equal(readProduceAnswer(Buffer.concat([whole, Buffer.alloc(1)]), version).ok, false);
    }
  });

  it("never throws when bytes are changed or invented", () => {
    const mutation = fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 6 });
    fc.assert(
      fc.property(answerOf, mutation, fc.uint8Array({ maxLength: 200 }), (parts, changes, noise) => {
        const bytes = writeAnswer(parts);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        for (const version of [7, 8]) {
          readProduceAnswer(bytes, version);
          readProduceAnswer(Buffer.from(noise), version);
        }
      }),
      { numRuns: 2000, seed: 9 },
    );
  });
});

describe("answersOf()", () => {
  const request = {
    bytes: 0,
    entries: [["a", 0], ["a", 1], ["b", 0]].map(([name, id]) => ({ partition: { id, topic: { name } } })),
  } as unknown as InFlightRequest;
  const answers = [
    { topic: "a", partition: 0, errorCode: 1 },
    { topic: "a", partition: 1, errorCode: 2 },
    { topic: "b", partition: 0, errorCode: 3 },
  ].map((answer) => ({ ...answer, badRecords: [], message: undefined }));

  it("gives the answers in the order of the request when the answer has any order", () => {
    assert.deepEqual(answersOf(request, answers), answers);
    assert.deepEqual(answersOf(request, [...answers].reverse()), answers);
  });

  it("gives nothing when a partition is missing, twice or too many", () => {
    assert.equal(answersOf(request, answers.slice(1)), undefined);
    assert.equal(answersOf(request, [answers[0], answers[0], answers[2]]), undefined);
    assert.equal(answersOf(request, [...answers, answers[0]]), undefined);
    assert.equal(answersOf(request, [answers[0], answers[1], { ...answers[2], topic: "c" }]), undefined);
  });
});
