/**
 * Calls of the C library, through the foreign-function interface of either runtime, from a table of their shapes.
 *
 * Memory that a call only looks at while it runs may be any typed array. What is pointed to for longer must not move:
 * mapped memory, or that of a WebAssembly module.
 *
 * @module
 */
import process from "node:process";
import { bunGlobal, type DenoGlobal, denoGlobal } from "./globals.ts";

/** glibc, then musl on both architectures that are built. */
const names = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];

/**
 * Arguments, and behind a colon the result, which is i where nothing is said: `i` a 32-bit number, `u` an unsigned size,
 * `p` memory (a typed array or null), `m` a pointer as the runtime has it; as a result `w` is an i that comes as a promise,
 * from a call that waits off the event loop: only Deno has such calls, on Bun they are left out.
 *
 * With another key than the function's name, `[name, shape]`.
 */
export type CallShapes = Readonly<Record<string, string | readonly [name: string, shape: string]>>;

/** Memory of the operating system, as JavaScript sees it. Touching `buffer` after it was unmapped ends the process. */
export interface Mapped {
  readonly address: number;
  readonly buffer: ArrayBuffer;
}

/** The library with the calls that were asked for. */
export interface CLibrary {
  /** The name under which it was found. */
  readonly name: string;
  readonly calls: Readonly<Record<string, (...args: unknown[]) => number>>;
  /** That of the last call of this thread. */
  errno(): number;
  /** Where `bytes` lies. */
  addressOf(bytes: Uint8Array): number;
  /** The `bytes` bytes at a pointer. */
  view(pointer: unknown, bytes: number): Mapped;
}

/**
 * Opens it.
 *
 * @throws Error on another operating system than Linux, without FFI (`--allow-ffi` missing, JIT forbidden), or where a
 * function is missing
 */
export async function openCLibrary(shapes: CallShapes): Promise<CLibrary> {
  if (process.platform !== "linux") throw new Error(`no calls of the C library on ${process.platform}`);
  let reason: unknown = new Error("this runtime has no foreign-function interface");
  for (const name of names) {
    try {
      if (bunGlobal !== undefined) return await openOnBun(name, shapes);
      if (denoGlobal !== undefined) return openOnDeno(denoGlobal, name, shapes);
    } catch (error) {
      reason = error;
    }
  }
  throw reason;
}

type Calls = Record<string, (...args: unknown[]) => number>;

interface Call {
  readonly key: string;
  readonly symbol: string;
  readonly args: readonly string[];
  readonly result: string;
}

const errnoKey = "__errno_location";

/** The calls in groups in which no symbol stands twice: a library can be opened with one shape of each. */
function groupsOf(shapes: CallShapes): Call[][] {
  const groups: Call[][] = [];
  for (const [key, entry] of Object.entries({ ...shapes, [errnoKey]: ":m" })) {
    const [symbol, shape] = typeof entry === "string" ? [key, entry] : entry;
    const [args, result = "i"] = shape.split(":");
    const group = groups.find((calls) => calls.every((call) => call.symbol !== symbol)) ?? [];
    if (group.length === 0) groups.push(group);
    group.push({ key, symbol, args: Array.from(args!), result });
  }
  return groups;
}

async function openOnBun(name: string, shapes: CallShapes): Promise<CLibrary> {
  // A variable, so that Deno does not try to resolve it.
  const specifier = "bun:ffi";
  const ffi = await import(specifier);
  const types: Readonly<Record<string, string>> = { i: "i32", u: "usize", p: "ptr", m: "ptr" };
  const calls: Calls = {};
  for (const group of groupsOf(shapes)) {
    const offered = group.filter(({ result }) => result !== "w");
    const definitions = Object.fromEntries(
      offered.map(({ symbol, args, result }) => [symbol, {
        args: args.map((arg) => types[arg]),
        returns: types[result],
      }]),
    );
    const { symbols } = ffi.dlopen(name, definitions);
    for (const { key, symbol } of offered) calls[key] = symbols[symbol];
  }
  const errnoAt = calls[errnoKey]!();
  return {
    name,
    calls,
    errno: () => ffi.read.i32(errnoAt),
    addressOf: (bytes) => Number(ffi.ptr(bytes)),
    view: (pointer, bytes) => ({ address: Number(pointer), buffer: ffi.toArrayBuffer(pointer, 0, bytes) }),
  };
}

function openOnDeno(deno: DenoGlobal, name: string, shapes: CallShapes): CLibrary {
  const types: Readonly<Record<string, string>> = {
    i: "i32",
    u: "usize",
    p: "buffer",
    m: "pointer",
    w: "i32",
  };
  const calls: Calls = {};
  for (const group of groupsOf(shapes)) {
    const definitions = Object.fromEntries(
      group.map(({ symbol, args, result }) => [symbol, {
        parameters: args.map((arg) => types[arg]!),
        result: types[result]!,
        nonblocking: result === "w",
      }]),
    );
    const { symbols } = deno.dlopen(name, definitions);
    for (const { key, symbol } of group) calls[key] = symbols[symbol]!;
  }
  const errnoView = new deno.UnsafePointerView(calls[errnoKey]!());
  return {
    name,
    calls,
    errno: () => errnoView.getInt32(),
    addressOf: (bytes) => Number(deno.UnsafePointer.value(deno.UnsafePointer.of(bytes))),
    view: (pointer, bytes) => ({
      address: Number(deno.UnsafePointer.value(pointer)),
      buffer: deno.UnsafePointerView.getArrayBuffer(pointer, bytes),
    }),
  };
}
