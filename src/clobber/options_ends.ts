/**
 * Flags that name what stands beside the load: certificates, where lines come out again, whom to ask about the target,
 * an earlier run.
 *
 * @module
 */
import { type FlagReader, refuse } from "./flags.ts";
import type { Inputs } from "./options.ts";
import { readBase } from "./report/compare.ts";
import type { Settings, VerifySource } from "./settings.ts";
import { type KafkaAccess, openAccess } from "./verify/access.ts";

/** Where a broker without a port listens. */
const kafkaPort = 9092;

/** Certificates towards the target. @throws UsageError */
export function readTls(reader: FlagReader, inputs: Inputs): Settings["tls"] {
  const file = (name: string): string | undefined => {
    const path = reader.text(name);
    if (path === undefined) return undefined;
    try {
      return inputs.readText(path);
    } catch (error) {
      return refuse(name, `cannot read ${path}: ${(error as Error).message}`);
    }
  };
  const [cert, key] = [file("cert"), file("key")];
  if ((cert === undefined) !== (key === undefined)) {
    refuse(cert === undefined ? "key" : "cert", "a certificate and its key go together: --cert and --key");
  }
  return { verify: !reader.has("insecure"), ca: file("ca"), cert, key };
}

/** Where lines come out again. @throws UsageError */
export async function readVerify(
  reader: FlagReader,
  plan: Settings["plan"],
  inputs: Inputs,
): Promise<VerifySource | undefined> {
  const text = reader.text("verify");
  const configFile = reader.text("verify-config");
  if (text === undefined) {
    for (const name of ["verify-timeout", "verify-config"]) {
      if (reader.text(name) !== undefined) refuse(name, "belongs to --verify");
    }
    return undefined;
  }
  const marked = (plan.work.kind === "syslog" && plan.work.marks) ||
    (plan.work.kind === "template" && plan.work.lines.every((line) => /\{\{\s*mark\s*\}\}/.test(line)));
  if (!marked) refuse("verify", "lines must carry marks: use --syslog, or {{mark}} in each template");
  if (plan.fuzz.length > 0) {
    refuse("verify", "lines that are made wrong cannot be found again; leave out --fuzz");
  }
  const file = /^file:(?:\/\/)?(.+)$/.exec(text);
  if (file) {
    if (configFile !== undefined) refuse("verify-config", "belongs to --verify kafka://");
    return { kind: "file", dir: file[1]! };
  }
  const [, brokers, topics] = /^kafka:\/\/([^/]*)\/(.+)$/.exec(text) ?? [];
  const written = brokers?.split(",").filter((broker) => broker !== "") ?? [];
  const isBroker = (broker: string): boolean => /^(\[[^\]]+\]|[^:\s@]+)(:\d{1,5})?$/.test(broker);
  if (topics === undefined || !written.every(isBroker)) {
    const login = brokers?.includes("@") === true
      ? "; a login stands in the file that --verify-config names"
      : "";
    refuse("verify", `write kafka://BROKER:PORT/TOPIC or file:DIR, not "${withoutLogin(text)}"${login}`);
  }
  const access = configFile === undefined ? openAccess : await readAccess(configFile, inputs);
  const places = (written.length > 0 ? written : access.brokers).map(withPort);
  if (places.length === 0) {
    refuse("verify", "it names no broker, and no --verify-config does; write kafka://BROKER:PORT/TOPIC");
  }
  return { kind: "kafka", access, brokers: places, topics: topics.split(",") };
}

function withPort(broker: string): string {
  return /:\d+$/.test(broker) ? broker : `${broker}:${kafkaPort}`;
}

/** A password that somebody put where it does not belong is not said. */
function withoutLogin(url: string): string {
  return url.replace(/\/\/[^/]*@/, "//***@");
}

async function readAccess(path: string, inputs: Inputs): Promise<KafkaAccess> {
  try {
    return await inputs.readAccess(path);
  } catch (error) {
    return refuse("verify-config", (error as Error).message);
  }
}

/** The file is read before the load: it may be the one that `--json` writes. */
export function readTheBase(reader: FlagReader, inputs: Inputs): Settings["base"] {
  const path = reader.text("compare");
  if (path === undefined) return undefined;
  try {
    return readBase(inputs.readText(path));
  } catch (error) {
    return refuse("compare", `cannot use ${path}: ${(error as Error).message}`);
  }
}

/** Reports that are written. @throws UsageError where one cannot be: known now, and not after an hour of load */
export function readOutput(reader: FlagReader, inputs: Inputs): Settings["output"] {
  const file = (name: string): string | undefined => {
    const path = reader.text(name);
    const problem = path === undefined || path === "-" ? undefined : inputs.outputProblem(path);
    return problem === undefined ? path : refuse(name, `cannot write ${path}: ${problem}`);
  };
  return {
    quiet: reader.has("quiet"),
    json: file("json"),
    hgrm: file("hdr"),
    series: file("series"),
    html: file("html"),
  };
}

/** Whom to ask what the target does. @throws UsageError */
export function readAdmin(reader: FlagReader, inputs: Inputs): Settings["admin"] {
  const written = reader.text("admin");
  const tokenFile = reader.text("token-file");
  if (written === undefined) {
    if (tokenFile !== undefined) refuse("token-file", "belongs to --admin");
    return undefined;
  }
  const url = (/^https?:\/\//.test(written) ? written : `http://${written}`).replace(/\/+$/, "");
  if (!URL.canParse(url)) refuse("admin", `"${written}" is no URL; write http://127.0.0.1:8585`);
  try {
    return { url, token: tokenFile === undefined ? undefined : inputs.readText(tokenFile).trim() };
  } catch (error) {
    return refuse("token-file", `cannot read ${tokenFile}: ${(error as Error).message}`);
  }
}
