/**
 * Flags that would do nothing: refused, because who writes one believes that it does something.
 *
 * @module
 */
import { type FlagReader, refuse } from "./flags.ts";
import type { Answer, Pace, Target, Work } from "./plan.ts";

/** What the other flags came to. */
export interface Fit {
  readonly target: Target;
  readonly answer: Answer;
  readonly pace: Pace;
  readonly work: Work;
  /** Requests without a body. */
  readonly bodiless: boolean;
}

/** A flag, when it would do nothing, and what to do instead. */
interface Misfit {
  readonly names: readonly string[];
  readonly idle: (fit: Fit) => boolean;
  readonly cure: string;
}

const isHttp = ({ target }: Fit): boolean => target.scheme === "http" || target.scheme === "https";
const isSilent = ({ answer }: Fit): boolean => answer.kind === "none";

const misfits: readonly Misfit[] = [
  {
    names: ["ca", "cert", "key", "insecure"],
    idle: ({ target }) => target.scheme !== "tls" && target.scheme !== "https",
    cure: "belongs to tls:// and https:// targets",
  },
  {
    names: ["pipeline"],
    idle: isSilent,
    cure: "nothing answers on this target; --bundle says how many lines are in a write",
  },
  {
    names: ["bundle"],
    idle: ({ target }) => target.scheme === "udp" || target.scheme === "relp",
    cure: "each message is written by itself here",
  },
  {
    names: ["deadline"],
    idle: isSilent,
    cure: "nothing answers on this target; use --verify, and --fail 'e2e.p99<1s'",
  },
  {
    names: ["idle-connections", "slow-readers"],
    idle: ({ target }) => target.scheme === "udp",
    cure: "datagrams have no connections",
  },
  {
    names: ["precise"],
    idle: ({ pace }) => pace.kind === "closed",
    cure: "belongs to --rate, --stages and --find-max: in a closed loop nothing is due",
  },
  {
    names: ["duration", "limit"],
    idle: ({ pace }) => pace.kind === "find",
    cure: "a search ends by itself; --confirm says how long the rate that was found must hold",
  },
  {
    names: ["syslog", "message", "size", "no-marks"],
    idle: (fit) => fit.work.kind !== "syslog" || fit.bodiless,
    cure: "belongs to syslog lines and JSON events, and something else is sent here",
  },
  {
    names: ["framing"],
    idle: (fit) =>
      fit.work.kind === "payload" || isHttp(fit) || fit.target.scheme === "udp" ||
      fit.target.scheme === "relp",
    cure: "belongs to lines over tcp://, tls:// and unix://",
  },
  {
    names: ["field"],
    idle: ({ work }) => work.kind !== "template",
    cure: "belongs to --template and --template-file",
  },
  {
    names: ["batch"],
    idle: ({ work }) => work.kind === "payload",
    cure: "a payload is one body; --lines FILE puts lines of a file together",
  },
];

/** Refuses what would do nothing. @throws UsageError */
export function checkFit(reader: FlagReader, fit: Fit): void {
  for (const { names, idle, cure } of misfits) {
    const given = names.find((name) => reader.has(name) || reader.text(name) !== undefined);
    if (given !== undefined && idle(fit)) refuse(given, cure);
  }
}
