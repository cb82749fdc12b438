/**
 * From a plan to the pool of a thread: lines, frames around them, and requests around those.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { invariant } from "../../core/invariant.ts";
import type { Framing, HttpShape, Plan, Work } from "../plan.ts";
import { frame } from "./framing.ts";
import { httpRequest } from "./http_request.ts";
import { fillPool, Pool } from "./pool.ts";
import { Random } from "./random.ts";
import { drawSize } from "./sizes.ts";
import { messageOf, syslogLine } from "./syslog.ts";
import { readTemplate } from "./template.ts";

/** Makes the messages of thread `thread`. */
export function makePool(plan: Plan, thread: number): Pool {
  const { work, http, run } = plan;
  const random = new Random(plan.seed, thread);
  const bare = bareMessages(work, run, random, http !== undefined);
  if (http !== undefined) return requests(plan, http, bare, work.kind === "payload");
  const framing = plan.target.scheme === "udp" || plan.target.scheme === "relp" ? "none" : framingOf(work);
  if (work.kind === "payload") return new Pool([Buffer.from(work.bytes)], run);
  if (work.kind === "messages") {
    return new Pool(work.messages.map((message) => frame(Buffer.from(message), framing)), run);
  }
  return fillPool((index) => frame(bare(index), framing), run);
}

function framingOf(work: Work): Framing {
  return work.kind === "payload" ? "none" : work.framing;
}

/** Messages without frame, by their number. */
function bareMessages(work: Work, run: string, random: Random, http: boolean): (index: number) => Buffer {
  switch (work.kind) {
    case "payload":
      return () => Buffer.from(work.bytes);
    case "messages":
      return (index) => Buffer.from(work.messages[index % work.messages.length]!);
    case "template": {
      const templates = work.lines.map((line) => {
        const read = readTemplate(line, run);
        invariant(read.ok, "templates were read when the plan was made");
        return read.render;
      });
      return (index) => Buffer.from(templates[index % templates.length]!(random, index));
    }
    case "syslog": {
      const shape = { format: work.format, json: work.json, run: work.marks ? run : undefined };
      return (index) => {
        const bytes = drawSize(work.size, random);
        // A JSON body of HTTP needs no syslog header.
        return Buffer.from(
          http && work.json
            ? messageOf(shape, bytes, index, random)
            : syslogLine(shape, bytes, index, random),
        );
      };
    }
  }
}

function requests(plan: Plan, http: HttpShape, bare: (index: number) => Buffer, single: boolean): Pool {
  if (http.batch === 0 || single) {
    const body = http.batch === 0 ? undefined : bare(0);
    return new Pool([httpRequest(plan.target, http, body)], plan.run);
  }
  return fillPool((index) => {
    const lines: Buffer[] = [];
    for (let line = 0; line < http.batch; line++) {
      if (line > 0) lines.push(Buffer.from("\n"));
      lines.push(bare(index * http.batch + line));
    }
    return httpRequest(plan.target, http, Buffer.concat(lines));
  }, plan.run);
}
