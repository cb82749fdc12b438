/**
 * The documentation, held against the program. Runs on both: @runtimes bun deno
 *
 *     ```yaml title=corndog.yml       `corndog check -c corndog.yml` finds no fault; the same for hotdog.yml
 *     ```yaml title=rules.yml         the same for `corndog check --rules rules.yml`; also for names below rules/
 *         files=tls,token,tokens      with certificates, a token, tokens of HTTP
 *         env=NAME,NAME               with these variables set
 *         fails                       the check must find a fault
 *     ```text title=example.log       only written
 *         rsyslog                     rsyslogd runs with it and must bring a line to corndog
 *     ```sh tested                    runs, with a corndog that listens; 1514, 8080 and 8585 become its ports, PID its
 *                                     process; `corndog run` does nothing there. What other blocks of commands say
 *                                     behind `sh`, test/unit/config/docs_commands_test.ts looks at
 *     ```text output                  what the commands before it wrote to stdout; … stands for anything
 *
 * Blocks of a page share a folder, from top to bottom, and a corndog that is started at the first tested command
 * with the corndog.yml that is there then, sink file. Other blocks are text.
 *
 * @module
 */
import assert from "node:assert/strict";
import { execFile, execFileSync, spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { dropReasons } from "../../src/observe/row.ts";
import { pageText } from "../../tools/build_reference.ts";
import { Corndog, corndogCommand } from "../support/corndog.ts";
import { freePort } from "../support/free_port.ts";
import { until } from "../support/until.ts";

const root = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

/** One fenced block. */
interface Block {
  readonly line: number;
  readonly language: string;
  /** What stands behind the language: `title=corndog.yml`, `tested`. */
  readonly marks: ReadonlyMap<string, string>;
  readonly text: string;
}

/** All fenced blocks of a page, in order. */
function blocksOf(page: string): Block[] {
  const blocks: Block[] = [];
  const lines = page.split("\n");
  for (let at = 0; at < lines.length; at++) {
    const open = /^```(\w+)(.*)$/.exec(lines[at]!);
    if (open === null) continue;
    const end = lines.indexOf("```", at + 1);
    assert.ok(end > at, `line ${at + 1}: the block is not closed`);
    const marks = open[2]!.trim().split(/\s+/).filter((mark) => mark !== "");
    blocks.push({
      line: at + 1,
      language: open[1]!,
      marks: new Map(marks.map((mark) => [mark.split("=")[0]!, mark.split("=")[1] ?? ""])),
      text: lines.slice(at + 1, end).join("\n") + "\n",
    });
    at = end;
  }
  return blocks;
}

const pages = ["README.md", ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`)]
  .filter((name) => name.endsWith(".md") && existsSync(join(root, name)))
  .map((name) => ({ name, text: readFileSync(join(root, name), "utf8") }));

/** The folder that the blocks of one page share, and what runs in it. */
class Desk {
  readonly dir: string;
  readonly #bin: string;
  #corndog: Corndog | undefined;
  #ports: { readonly syslog: number; readonly http: number; readonly admin: number } | undefined;
  output = "";

  private constructor(dir: string) {
    this.dir = join(dir, "page");
    this.#bin = join(dir, "bin");
  }

  static async make(): Promise<Desk> {
    const desk = new Desk(await mkdtemp(join(tmpdir(), "corndog-docs-")));
    await mkdir(desk.dir);
    await mkdir(desk.#bin);
    return desk;
  }

  async write(name: string, text: string): Promise<void> {
    const path = join(this.dir, name.replace(/^.*\//, (folder) => folder.startsWith("/") ? "" : folder));
    await mkdir(dirname(path), { recursive: true });
    // A token file that others can read is refused.
    await writeFile(path, text, { mode: 0o600 });
  }

  /** Runs corndog to its end. */
  run(args: string[], env: Record<string, string>): Promise<{ code: number; output: string }> {
    const [command, ...first] = corndogCommand();
    return this.#exec(command!, [...first, ...args], env);
  }

  /** Runs commands as a reader would, with a corndog beside them. */
  async shell(script: string): Promise<void> {
    const { syslog, http, admin } = this.#ports ??= await this.#start();
    const text = script.replaceAll(/\b1514\b/g, String(syslog)).replaceAll(/\b8080\b/g, String(http))
      .replaceAll(/\b8585\b/g, String(admin)).replaceAll(/\bPID\b/g, String(this.#corndog!.pid));
    const result = await this.#exec("sh", ["-eu", "-c", text], {
      PATH: `${this.#bin}:${process.env.PATH}`,
      CORNDOG_TEST_ADMIN: `http://127.0.0.1:${admin}`,
    });
    assert.equal(result.code, 0, result.output);
    this.output = result.stdout;
  }

  /** Runs rsyslogd with `text` besides what Debian's rsyslog.conf has, and waits for a line through it. */
  async rsyslog(text: string): Promise<void> {
    const { syslog } = this.#ports ??= await this.#start();
    const socket = join(this.#bin, "log");
    const configuration = join(this.#bin, "rsyslog.conf");
    const inputs = `module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="${socket}" CreatePath="off")
global(workDirectory="${this.#bin}")\n`;
    await writeFile(configuration, inputs + text.replaceAll(/\b1514\b/g, String(syslog)));
    const rsyslogd = spawn("rsyslogd", ["-n", "-f", configuration, "-i", join(this.#bin, "pid")], {
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
      stdio: "ignore",
    });
    try {
      await until("rsyslogd's socket", () => existsSync(socket) || undefined);
      execFileSync("logger", ["--socket", socket, "through rsyslog"]);
      await until("the line", async () => {
        const values = await this.#values();
        return values.some((value) => /^<13>1 \S+ \S+ \S+ - - - through rsyslog$/.test(value)) || undefined;
      });
    } finally {
      process.kill(rsyslogd.pid!, "SIGTERM");
    }
  }

  /** All values that the file sink has written. */
  async #values(): Promise<string[]> {
    const out = join(this.dir, "corndog-data");
    const names = await readdir(out, { recursive: true }).catch(() => []);
    const files = names.filter((name) => /^logs.*\.ndjson$/.test(name));
    const texts = await Promise.all(files.map((name) => readFile(join(out, name), "utf8")));
    return texts.flatMap((text) =>
      text.split("\n").filter((line) => line.endsWith("}")).map((line) => JSON.parse(line).value as string)
    );
  }

  async dispose(): Promise<void> {
    await this.#corndog?.dispose();
    await rm(dirname(this.dir), { recursive: true, force: true });
  }

  async #start(): Promise<{ syslog: number; http: number; admin: number }> {
    const ports = { syslog: await freePort(), http: await freePort(), admin: await freePort() };
    const quoted = corndogCommand().map((word) => `'${word}'`).join(" ");
    const shim = join(this.#bin, "corndog");
    await writeFile(
      shim,
      // What a page starts runs already.
      `#!/bin/sh
case $1 in
  run) exit ;;
  stats | why | connections | reload) set -- "$@" --admin "$CORNDOG_TEST_ADMIN" ;;
esac
exec ${quoted} "$@"
`,
    );
    chmodSync(shim, 0o755);
    const args = existsSync(join(this.dir, "corndog.yml")) ? ["run", "-c", "corndog.yml"] : ["run"];
    this.#corndog = Corndog.spawn(this.dir, args, {
      CORNDOG_LISTEN:
        `[{ syslog: "tcp://127.0.0.1:${ports.syslog}" }, { syslog: "udp://127.0.0.1:${ports.syslog}" }, { http: "http://127.0.0.1:${ports.http}" }]`,
      CORNDOG_ADMIN_LISTEN: `127.0.0.1:${ports.admin}`,
      CORNDOG_SINK: "file",
      CORNDOG_WORKERS: "1",
    });
    await this.#corndog.started();
    return ports;
  }

  #exec(
    command: string,
    args: string[],
    env: Record<string, string>,
  ): Promise<{ code: number; output: string; stdout: string }> {
    return new Promise((resolve) => {
      const options = { cwd: this.dir, env: { ...process.env, ...env }, timeout: 60_000 };
      const child = execFile(command, args, options, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
        resolve({ code, stdout, output: `${command} ended with ${code}\n${stdout}${stderr}` });
      });
      child.stdin?.end();
    });
  }
}

/** Certificates, keys and tokens under the names that the pages use. */
async function makeFiles(desk: Desk, kinds: string): Promise<void> {
  for (const kind of kinds.split(",")) {
    if (kind === "token") await desk.write("admin.token", "0123456789abcdef0123456789abcdef\n");
    else if (kind === "tokens") await desk.write("tokens", "web 0123456789abcdef0123456789abcdef\n");
    else {
      assert.equal(kind, "tls", "files= knows tls, token and tokens");
      for (const name of ["ca", "server", "client"]) makeCertificate(desk.dir, name);
    }
  }
}

function makeCertificate(dir: string, name: string): void {
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"];
  const out = ["-keyout", join(dir, `${name}.key`), "-out", join(dir, `${name}.crt`)];
  execFileSync("openssl", ["req", "-x509", ...curve, "-subj", `/CN=${name}`, ...out], { stdio: "ignore" });
}

async function checkYaml(desk: Desk, block: Block): Promise<void> {
  const title = block.marks.get("title")!;
  await desk.write(title, block.text);
  await makeFiles(desk, block.marks.get("files") ?? "token");
  const names = (block.marks.get("env") ?? "").split(",").filter((name) => name !== "");
  const env = Object.fromEntries(names.map((name) => [name, "value"]));
  const isConfig = /^(corndog|hotdog)\.yml$/.test(title);
  const { code, output } = await desk.run(["check", isConfig ? "-c" : "--rules", title], env);
  assert.equal(code, block.marks.has("fails") ? 1 : 0, output);
}

/** Compares output with what a page shows; … stands for anything. */
function compare(output: string, shown: string): void {
  const pattern = shown.split("…").map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")).join(
    "[^\\n]*",
  );
  if (!new RegExp(`^${pattern}$`).test(output)) assert.equal(output, shown);
}

/** Why a tested block cannot run here. */
function missingClient({ language, marks, text }: Block): string | false {
  const clients = marks.has("rsyslog")
    ? ["rsyslogd", "logger"]
    : language === "sh" && marks.has("tested")
    ? ["logger", "nc", "curl"].filter((client) => new RegExp(`(?:^|[|] )${client} `, "m").test(text))
    : [];
  const find = (client: string) => spawnSync("sh", ["-c", `PATH=$PATH:/usr/sbin; command -v ${client}`]);
  const missing = clients.filter((client) => find(client).status !== 0);
  return missing.length > 0 && `${missing.join(" and ")} is missing`;
}

function isTested(block: Block): boolean {
  return block.marks.has("title") || block.marks.has("tested") || block.marks.has("output");
}

for (const page of pages) {
  const blocks = blocksOf(page.text).filter(isTested);
  if (blocks.length === 0) continue;
  describe(page.name, () => {
    let desk: Desk;
    before(async () => {
      desk = await Desk.make();
    });
    after(() => desk.dispose());
    for (const block of blocks) {
      const { language, marks } = block;
      it(`block at line ${block.line} holds when it is tried`, { skip: missingClient(block) }, async () => {
        if (marks.has("output")) compare(desk.output, block.text);
        else if (language === "sh") await desk.shell(block.text);
        else if (language === "yaml") await checkYaml(desk, block);
        else if (marks.has("rsyslog")) await desk.rsyslog(block.text);
        else await desk.write(marks.get("title")!, block.text);
      });
    }
  });
}

describe("pages", () => {
  const textOf = (name: string) => readFileSync(join(root, "docs", name), "utf8");

  /** Everything in src that is not a test. */
  const sources = (readdirSync(join(root, "src"), { recursive: true }) as string[])
    .filter((name) => name.endsWith(".ts")).map((name) => readFileSync(join(root, "src", name), "utf8")).join(
      "\n",
    );

  it("pageText() changes nothing when the reference of keys is up to date", () => {
    const text = textOf("CONFIGURATION.md");
    assert.equal(pageText(text), text, "run: bun tools/build_reference.ts");
  });

  it("every link between pages leads to a file and a heading", () => {
    const broken: string[] = [];
    for (const page of pages) {
      for (const [, path, anchor] of page.text.matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)/g)) {
        const target = path === "" ? page.name : join(dirname(page.name), path!);
        if (!existsSync(join(root, target))) broken.push(`${page.name}: ${path}`);
        else if (anchor !== undefined && !anchorsOf(target).has(anchor)) {
          broken.push(`${page.name}: #${anchor}`);
        }
      }
    }
    assert.deepEqual(broken, []);
  });

  it("OPERATIONS.md names every log event that the sources emit", () => {
    const calls = [
      /\b[Ll]og(?:\??\.(?:error|warn|info|debug|write))?\(\s*"([a-z]+(?:_[a-z]+)*)"/g,
      /#logCode\(\s*"([a-z_]+)"/g,
      /#events\.log\([^"]*"\w+",\s*"([a-z_]+)"/g,
      /\bevent: "([a-z_]+)"/g,
      /const event = \w+ \? "([a-z_]+)" : "[a-z_]+"/g,
      /const event = \w+ \? "[a-z_]+" : "([a-z_]+)"/g,
    ];
    const events = new Set(calls.flatMap((call) => [...sources.matchAll(call)].map((match) => match[1]!)));
    assert.ok(events.size > 20, `found only ${[...events]}`);
    assert.deepEqual([...events].filter((event) => !textOf("OPERATIONS.md").includes(`\`${event}\``)), []);
  });

  it("OPERATIONS.md names every code of an error", () => {
    const union = /type ErrorCode =([^;]*);/.exec(sources)![1]!;
    const own = [...union.matchAll(/"([a-z_]+)"/g)].map((match) => match[1]!);
    const admin = [...sources.matchAll(/\b(?:problem|refuse)\(\s*\d{3},\s*"([a-z_]+)"/g)].map((match) =>
      match[1]!
    );
    assert.ok(own.length > 15 && admin.length > 20);
    const page = textOf("OPERATIONS.md");
    assert.deepEqual([...new Set([...own, ...admin])].filter((code) => !page.includes(`\`${code}\``)), []);
  });

  it("OPERATIONS.md names every metric and reason of a drop", () => {
    const metrics = [...sources.matchAll(/"(corndog_[a-z_]+)"/g)].map((match) => match[1]!);
    const names = [...new Set(metrics), ...dropReasons];
    assert.ok(metrics.length > 20);
    assert.deepEqual(names.filter((name) => !textOf("OPERATIONS.md").includes(`\`${name}\``)), []);
  });

  it("RULES.md names every reason of a dead letter", () => {
    const calls = [
      /reason = (?:\w+ \? )?"([a-z_]+)"/g,
      /reason = \w+ \? "[a-z_]+" : "([a-z_]+)"/g,
      /#letter\(\s*(?:program,\s*)?"([a-z_]+)"/g,
      /return "(topic[a-z_]+)"/g,
      /\breason: "([a-z_]+)"/g,
      /giveUp\(\s*topic,\s*"([a-z_]+)"/g,
    ];
    const reasons = new Set(calls.flatMap((call) => [...sources.matchAll(call)].map((match) => match[1]!)));
    for (const dropped of dropReasons) reasons.delete(dropped);
    assert.ok(reasons.size > 8, `found only ${[...reasons]}`);
    // Reasons of damage in the spool and of records over HTTP are of the same form, and have pages of their own.
    const pages = ["RULES.md", "OPERATIONS.md", "HTTP.md"].map(textOf).join("");
    assert.deepEqual([...reasons].filter((reason) => !pages.includes(`\`${reason}\``)), []);
  });
});

/** Anchors of a page's headings, as GitHub makes them. */
function anchorsOf(name: string): Set<string> {
  const headings = readFileSync(join(root, name), "utf8").matchAll(/^#+ (.*)$/gm);
  return new Set(
    [...headings].map((match) => match[1]!.toLowerCase().replaceAll(/[^\w\- ]/g, "").replaceAll(" ", "-")),
  );
}
