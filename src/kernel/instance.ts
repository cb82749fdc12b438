/**
 * Makes a kernel: lays out its memory, instantiates the module (synchronously, it is small) and wraps the results
 * that a call leaves in the control words.
 *
 * The memory has `initial == maximum`: it never moves. Asking for more than the machine gives is a
 * `ForwarderError("kernel_failed")`, not a crash later.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { ForwarderError } from "../core/errors.ts";
import { kernelBase64 } from "./generated.ts";
import {
  frameRowBytes,
  headerRowBytes,
  type Kernel,
  type KernelSizes,
  receiveBufferBytes,
  receiveHeadBytes,
} from "./kernel.ts";
import { JsonTail, jsonTailBytesMax, jsonTextsBytes, writeJsonTexts } from "./json_form.ts";
import { writeMarks } from "./marks.ts";

/** What a worker gets unless its configuration says otherwise. */
export const defaultKernelSizes: KernelSizes = {
  frameBytesMax: 64 * 1024,
  pieceBytes: 64 * 1024,
  rowsMax: 4096,
  scratchBytes: 2 * 1024 * 1024,
  arenaBytes: 32 * 1024 * 1024,
  receiveBuffers: 0,
};

/** The kernel's own bytes at the start of the memory: `configure` of src/kernel/assembly/memory.ts. */
const ownBytes = 64 * 1024;

/** All regions start at a cache line. */
const alignment = 64;

/** Room behind the input region and at the memory's end: a block of the scan may start at the last byte. */
const slackBytes = 64;

/**
 * What the input region holds beside half a frame and a piece: nine digits and a space of octet counting before it,
 * nine digits of the next count behind it.
 */
const framingBytesMax = 19;

const pageBytes = 64 * 1024;

/** Addresses leave WebAssembly as signed 32-bit numbers. */
const memoryBytesMax = 2 * 1024 * 1024 * 1024 - pageBytes;

/** Indexes of the control words. */
const control = {
  consumed: 0,
  stop: 1,
  skip: 2,
  emptyFrames: 3,
  encodedEnd: 4,
  continues: 5,
  refused: 6,
} as const;

type KernelCalls = Pick<
  Kernel,
  | "scanNewline"
  | "scanNul"
  | "scanOctets"
  | "rowOf"
  | "rowsOf"
  | "limitFrames"
  | "parseHeaders"
  | "scanJson"
  | "copyBytes"
  | "encodeRows"
  | "encodeJsonRows"
  | "writeJsonForm"
  | "encodeRecord"
  | "sealBatch"
  | "crc32c"
>;

interface KernelExports extends KernelCalls {
  configure(rowsAt: number, rowsMax: number, headersAt: number, frameBytesMax: number): void;
  configureJsonForm(textsAt: number, tailAt: number, scratchAt: number, scratchBytes: number): void;
}

interface Layout {
  readonly rowsAt: number;
  readonly headersAt: number;
  readonly jsonTextsAt: number;
  readonly scratchAt: number;
  readonly inputAt: number;
  readonly inputBytes: number;
  readonly arenaAt: number;
  readonly receiveAt: number;
  readonly pages: number;
}

/** Compiled once per thread; instances share the code. */
let compiledModule: WebAssembly.Module | undefined;

/** The module. Who makes an instance of it gives it a memory. */
export function kernelModule(): WebAssembly.Module {
  return compiledModule ??= new WebAssembly.Module(Buffer.from(kernelBase64, "base64"));
}

/**
 * A kernel with a memory of its own. Sizes that are left out are `defaultKernelSizes`.
 *
 * @throws ForwarderError `kernel_failed` where a size is no positive integer or the memory cannot be had
 */
export function createKernel(sizes: Partial<KernelSizes> = {}): Kernel {
  const chosen: KernelSizes = { ...defaultKernelSizes, ...sizes };
  checkSizes(chosen);
  const layout = layOut(chosen);
  const memory = allocate(layout.pages);
  const instance = new WebAssembly.Instance(kernelModule(), { env: { memory } });
  const calls = instance.exports as unknown as KernelExports;
  calls.configure(layout.rowsAt, chosen.rowsMax, layout.headersAt, chosen.frameBytesMax);
  writeMarks(new Uint8Array(memory.buffer));
  const tailAt = layout.jsonTextsAt + jsonTextsBytes;
  writeJsonTexts(new Uint8Array(memory.buffer), layout.jsonTextsAt);
  calls.configureJsonForm(layout.jsonTextsAt, tailAt, layout.scratchAt, chosen.scratchBytes);
  return new KernelInstance(chosen, layout, memory, calls);
}

function checkSizes(sizes: KernelSizes): void {
  for (const [name, value] of Object.entries(sizes)) {
    const least = name === "receiveBuffers" ? 0 : 1;
    if (!Number.isSafeInteger(value) || value < least) {
      throw new ForwarderError(
        "kernel_failed",
        `Cannot make a kernel: "${name}" is ${value}, wanted a positive integer`,
      );
    }
  }
}

function layOut(sizes: KernelSizes): Layout {
  let at = ownBytes;
  const region = (bytes: number, startAlignment = alignment): number => {
    const start = Math.ceil(at / startAlignment) * startAlignment;
    at = Math.ceil((start + bytes) / alignment) * alignment;
    return start;
  };
  const inputBytes = sizes.frameBytesMax + framingBytesMax + sizes.pieceBytes;
  const rowsAt = region(sizes.rowsMax * frameRowBytes);
  const headersAt = region(sizes.rowsMax * headerRowBytes);
  const jsonTextsAt = region(jsonTextsBytes + jsonTailBytesMax);
  const scratchAt = region(sizes.scratchBytes);
  const inputAt = region(inputBytes + slackBytes);
  const arenaAt = region(sizes.arenaBytes);
  const receiveAt = region(sizes.receiveBuffers * (receiveHeadBytes + receiveBufferBytes), pageBytes);
  const pages = Math.ceil((at + slackBytes) / pageBytes);
  return { rowsAt, headersAt, jsonTextsAt, scratchAt, inputAt, inputBytes, arenaAt, receiveAt, pages };
}

function allocate(pages: number): WebAssembly.Memory {
  const bytes = pages * pageBytes;
  if (bytes > memoryBytesMax) {
    throw new ForwarderError(
      "kernel_failed",
      `Cannot allocate kernel memory: ${bytes} bytes wanted, ${memoryBytesMax} is the most`,
    );
  }
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages });
  } catch (cause) {
    throw new ForwarderError("kernel_failed", `Cannot allocate kernel memory: ${bytes} bytes wanted`, {
      cause,
    });
  }
}

class KernelInstance implements Kernel {
  readonly sizes: KernelSizes;
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  readonly rowsAt: number;
  readonly headersAt: number;
  readonly scratchAt: number;
  readonly inputAt: number;
  readonly inputBytes: number;
  readonly arenaAt: number;
  readonly receiveAt: number;

  // The exports themselves, not wrapped: encodeRecord and the scans are called per line and per piece.
  readonly scanNewline: KernelCalls["scanNewline"];
  readonly scanNul: KernelCalls["scanNul"];
  readonly scanOctets: KernelCalls["scanOctets"];
  readonly rowOf: KernelCalls["rowOf"];
  readonly rowsOf: KernelCalls["rowsOf"];
  readonly parseHeaders: KernelCalls["parseHeaders"];
  readonly scanJson: KernelCalls["scanJson"];
  readonly copyBytes: KernelCalls["copyBytes"];
  readonly encodeRows: KernelCalls["encodeRows"];
  readonly encodeJsonRows: KernelCalls["encodeJsonRows"];
  readonly writeJsonForm: KernelCalls["writeJsonForm"];
  readonly jsonTail: JsonTail;
  readonly encodeRecord: KernelCalls["encodeRecord"];
  readonly sealBatch: KernelCalls["sealBatch"];
  readonly #crc32c: KernelCalls["crc32c"];
  readonly #limitFrames: KernelCalls["limitFrames"];
  #frameBytesMax: number;
  #splits = false;

  constructor(sizes: KernelSizes, layout: Layout, memory: WebAssembly.Memory, calls: KernelCalls) {
    this.sizes = sizes;
    this.bytes = new Uint8Array(memory.buffer);
    this.words = new Uint32Array(memory.buffer);
    this.rowsAt = layout.rowsAt;
    this.headersAt = layout.headersAt;
    this.scratchAt = layout.scratchAt;
    this.inputAt = layout.inputAt;
    this.inputBytes = layout.inputBytes;
    this.arenaAt = layout.arenaAt;
    this.receiveAt = sizes.receiveBuffers === 0 ? this.bytes.length : layout.receiveAt;
    this.scanNewline = calls.scanNewline;
    this.scanNul = calls.scanNul;
    this.scanOctets = calls.scanOctets;
    this.rowOf = calls.rowOf;
    this.rowsOf = calls.rowsOf;
    this.#limitFrames = calls.limitFrames;
    this.#frameBytesMax = sizes.frameBytesMax;
    this.parseHeaders = calls.parseHeaders;
    this.scanJson = calls.scanJson;
    this.copyBytes = calls.copyBytes;
    this.encodeRows = calls.encodeRows;
    this.encodeJsonRows = calls.encodeJsonRows;
    this.writeJsonForm = calls.writeJsonForm;
    this.jsonTail = new JsonTail(this.bytes, layout.jsonTextsAt + jsonTextsBytes);
    this.encodeRecord = calls.encodeRecord;
    this.sealBatch = calls.sealBatch;
    this.#crc32c = calls.crc32c;
  }

  limitFrames(frameBytesMax: number, splits: boolean): void {
    if (frameBytesMax === this.#frameBytesMax && splits === this.#splits) return;
    this.#frameBytesMax = frameBytesMax;
    this.#splits = splits;
    this.#limitFrames(frameBytesMax, splits);
  }

  get continues(): boolean {
    return this.words[control.continues] !== 0;
  }

  set continues(continues: boolean) {
    this.words[control.continues] = continues ? 1 : 0;
  }

  get consumed(): number {
    return this.words[control.consumed]!;
  }

  get stop(): number {
    return this.words[control.stop]!;
  }

  get skip(): number {
    return this.words[control.skip]!;
  }

  get emptyFrames(): number {
    return this.words[control.emptyFrames]!;
  }

  get refused(): boolean {
    return this.words[control.refused] !== 0;
  }

  get encodedEnd(): number {
    return this.words[control.encodedEnd]!;
  }

  crc32c(at: number, length: number): number {
    return this.#crc32c(at, length) >>> 0;
  }
}
