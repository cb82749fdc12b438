/**
 * An HTTP/1.1 request, whole, as bytes.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { HttpShape, Target } from "../plan.ts";

/** The request with its body. Headers of the user win over those that are made here. */
export function httpRequest(target: Target, shape: HttpShape, body: Buffer | undefined): Buffer {
  const given = new Set(shape.headers.map(([name]) => name.toLowerCase()));
  const host = target.host.includes(":") ? `[${target.host}]` : target.host;
  const usual = target.scheme === "https" ? 443 : 80;
  const made: [string, string][] = [
    ["Host", target.port === usual ? host : `${host}:${target.port}`],
    ["User-Agent", "corndog-clobber"],
    ["Accept", "*/*"],
  ];
  if (body !== undefined) made.push(["Content-Type", "text/plain"], ["Content-Length", String(body.length)]);
  const headers = [...made.filter(([name]) => !given.has(name.toLowerCase())), ...shape.headers];
  const head = [
    `${shape.method} ${target.path === "" ? "/" : target.path} HTTP/1.1`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
    "",
    "",
  ].join("\r\n");
  return Buffer.concat([Buffer.from(head), body ?? Buffer.alloc(0)]);
}
