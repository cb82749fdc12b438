import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { mayPause, type PacedStages } from "../../../src/pipeline/worker_pacing.ts";

const quiet: PacedStages = {
  isDraining: () => false,
  batches: { beforeSink: 0 },
  spool: { readsBack: false },
  sink: { hungry: true },
  submissions: { open: 0 },
  intake: { waiting: { connections: 0, heldBytes: 0, halfBytes: 0 } },
};

const cases: readonly {
  readonly name: string;
  readonly stages: Partial<PacedStages>;
  readonly want: boolean;
}[] = [
  { name: "nothing would be late", stages: {}, want: true },
  { name: "there is no spool", stages: { spool: undefined }, want: true },
  { name: "a stream has half a line", stages: waiting({ halfBytes: 10 }), want: true },
  { name: "it drains", stages: { isDraining: () => true }, want: false },
  { name: "a batch is packed or written", stages: { batches: { beforeSink: 1 } }, want: false },
  { name: "a batch is read back from the spool", stages: { spool: { readsBack: true } }, want: false },
  { name: "the sink is behind", stages: { sink: { hungry: false } }, want: false },
  { name: "a request waits for its answer", stages: { submissions: { open: 1 } }, want: false },
  { name: "a stream waits for room", stages: waiting({ connections: 1 }), want: false },
];

describe("mayPause()", () => {
  for (const { name, stages, want } of cases) {
    it(`is ${want} when ${name}`, () => assert.equal(mayPause({ ...quiet, ...stages }), want));
  }
});

function waiting(some: Partial<PacedStages["intake"]["waiting"]>): Partial<PacedStages> {
  return { intake: { waiting: { connections: 0, heldBytes: 0, halfBytes: 0, ...some } } };
}
