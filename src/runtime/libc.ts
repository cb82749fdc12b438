/**
 * Two system calls that the runtimes' own interfaces lack, through FFI: a larger backlog for a listening socket (Bun
 * has no option) and a real receive buffer for a datagram socket (Deno's setter changes nothing in the kernel).
 *
 * Everything here is an improvement, not a need: without FFI (`--allow-ffi` missing, JIT forbidden, another operating
 * system) `openLibc` gives undefined and the defaults stay.
 *
 * @module
 */

import process from "node:process";
import { bunGlobal, denoGlobal } from "./globals.ts";

/** glibc, then musl on both architectures that are built. */
export const libcNames = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];

// <asm-generic/socket.h>, Linux on x86-64 and ARM64.
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;

/** Calls into the C library. Arguments are descriptors of this process. */
export interface Libc {
  /** listen(2) again on a listening socket sets its backlog. False when refused. */
  listen(fd: number, backlog: number): boolean;
  /** Sets SO_RCVBUF, past `net.core.rmem_max` where CAP_NET_ADMIN allows. False when refused. */
  setReceiveBuffer(fd: number, bytes: number): boolean;
}

type Symbols = Record<string, (...args: unknown[]) => number>;

let opened: Promise<Libc | undefined> | undefined;

/** The C library, opened once per thread; undefined where it cannot be had. */
export function openLibc(): Promise<Libc | undefined> {
  opened ??= open();
  return opened;
}

async function open(): Promise<Libc | undefined> {
  if (process.platform !== "linux") return undefined;
  for (const name of libcNames) {
    try {
      return wrap(bunGlobal !== undefined ? await openOnBun(name) : openOnDeno(name));
    } catch {
      // Not this one: the next name, or none.
    }
  }
  return undefined;
}

async function openOnBun(name: string): Promise<Symbols> {
  // A variable, so that Deno does not try to resolve it.
  const specifier = "bun:ffi";
  const ffi = await import(specifier);
  return ffi.dlopen(name, {
    listen: { args: ["i32", "i32"], returns: "i32" },
    setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
  }).symbols;
}

function openOnDeno(name: string): Symbols {
  return denoGlobal!.dlopen(name, {
    listen: { parameters: ["i32", "i32"], result: "i32" },
    setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  }).symbols;
}

function wrap(symbols: Symbols): Libc {
  return {
    listen: (fd, backlog) => symbols.listen(fd, backlog) === 0,
    setReceiveBuffer(fd, bytes) {
      const value = new Int32Array([bytes]);
      if (symbols.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, value, 4) === 0) return true;
      return symbols.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, value, 4) === 0;
    },
  };
}
