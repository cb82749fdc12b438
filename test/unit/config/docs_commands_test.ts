/**
 * The commands in the pages: every shell block says what runs it, and every corndog command there is one that this
 * program takes. What a block says behind `sh`:
 *
 *     tested          test/binary/docs_test.ts runs it
 *     permissions     test/binary/permissions_test.ts does
 *     by=FILE,FILE    these do the same
 *     hand            nobody but people: it takes long, or other programs; here stands which pages may have such
 *
 * @module
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { parseArguments } from "../../../src/cli/arguments.ts";
import { allCommands } from "../../../src/cli/cli.ts";
import { readSettings } from "../../../src/clobber/options.ts";
import { openAccess } from "../../../src/clobber/verify/access.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const pages = [
  "README.md",
  "CONTRIBUTING.md",
  "bench/README.md",
  ...readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`),
];

/** Pages that may have commands which only people run, and why. */
const byHand: Readonly<Record<string, string>> = {
  "CONTRIBUTING.md": "it is the test run itself",
  "bench/README.md": "benchmarks take minutes, a quiet machine and a C compiler",
  "docs/BENCHMARKS.md": "the same",
  "docs/RULES_BENCHMARK.md": "the same",
  "docs/DENO.md": "deno install would replace the packages that the tests run with",
};

interface Block {
  readonly page: string;
  readonly line: number;
  readonly marks: readonly string[];
  readonly text: string;
}

function shellBlocks(page: string): Block[] {
  const lines = readFileSync(join(root, page), "utf8").split("\n");
  const blocks: Block[] = [];
  for (let at = 0; at < lines.length; at++) {
    if (!lines[at]!.startsWith("```")) continue;
    const end = lines.indexOf("```", at + 1);
    const [language, ...marks] = lines[at]!.slice(3).trim().split(/\s+/);
    if (language === "sh") {
      blocks.push({ page, line: at + 1, marks, text: lines.slice(at + 1, end).join("\n") });
    }
    at = end;
  }
  return blocks;
}

/** Words of the simple commands of a shell text: comments, pipes and redirections are taken apart, quotes are read. */
function commandsOf(text: string): string[][] {
  const commands: string[][] = [[]];
  let word: string | undefined;
  const endWord = () => {
    if (word !== undefined) commands.at(-1)!.push(word);
    word = undefined;
  };
  const endCommand = () => {
    endWord();
    commands.push([]);
  };
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (char === "'" || char === '"') {
      const end = text.indexOf(char, at + 1);
      word = (word ?? "") + text.slice(at + 1, end);
      at = end;
    } else if (char === "\\" && text[at + 1] === "\n") at++;
    else if (char === "#" && word === undefined) at = (text + "\n").indexOf("\n", at) - 1;
    else if ("\n|&;()".includes(char)) endCommand();
    else if (char === "<" || char === ">") {
      endWord();
      // The file behind it; <( is a command.
      if (text[at + 1] !== "(") commands.at(-1)!.push(">");
    } else if (char === " ") endWord();
    else word = (word ?? "") + char;
  }
  endCommand();
  return commands.map((words) => {
    const from = words.findIndex((one) => one !== "sudo" && !/^\w+=/.test(one));
    const to = words.indexOf(">");
    return words.slice(Math.max(from, 0), to < 0 ? undefined : to);
  });
}

/** What is wrong with a command line of corndog. One in a sentence (`isWhole` is false) may leave things out. */
async function faultOf(
  [name, ...argv]: readonly string[],
  isWhole: boolean,
): Promise<string | undefined> {
  const command = allCommands.find((one) => one.name === name);
  if (command === undefined) {
    // As in hotdog: options alone.
    const { options } = allCommands.find((one) => one.name === "run")!;
    const test = { name: "test", short: "t", value: "LOG", description: "" };
    if (name?.startsWith("-") !== true) return `there is no command ${name}`;
    const parsed = parseArguments([name, ...argv], [...options, test, {
      name: "version",
      short: "V",
      description: "",
    }]);
    return parsed.ok ? undefined : parsed.message;
  }
  const parsed = parseArguments(argv, [...command.options, { name: "help", short: "h", description: "" }]);
  // A sentence may name an option alone.
  if (!parsed.ok) return !isWhole && parsed.message.includes(" wants a value") ? undefined : parsed.message;
  if (parsed.arguments.rest.length > command.restMax) {
    return `one argument too many: ${parsed.arguments.rest}`;
  }
  if (name !== "clobber" || !isWhole) return undefined;
  try {
    const inputs = {
      readText: () => "x",
      readBytes: () => new Uint8Array(1),
      stdin: () => Promise.resolve(undefined),
      outputProblem: () => undefined,
      readAccess: () => ({ ...openAccess, brokers: ["kafka-1:9092"] }),
    };
    await readSettings(parsed.arguments, inputs);
  } catch (error) {
    return (error as Error).message;
  }
}

describe("commandsOf()", () => {
  const cases: [text: string, want: string[][]][] = [
    ["corndog run # now", [["corndog", "run"]]],
    ["corndog check -c a.yml && sudo systemctl start corndog", [
      ["corndog", "check", "-c", "a.yml"],
      ["systemctl", "start", "corndog"],
    ]],
    ["A=1 corndog clobber x \\\n  --fail 'a<b c'", [["corndog", "clobber", "x", "--fail", "a<b c"]]],
    ["source <(corndog completion bash)", [["source"], ["corndog", "completion", "bash"]]],
    ["corndog man | man -l - >out", [["corndog", "man"], ["man", "-l", "-"]]],
  ];
  for (const [text, want] of cases) {
    it(`takes apart ${JSON.stringify(text)}`, () => {
      assert.deepEqual(commandsOf(text).filter((words) => words.length > 0), want);
    });
  }
});

describe("commands in the pages", () => {
  const blocks = pages.flatMap(shellBlocks);

  it("are run by a test that is named, or by hand where that page may say so", () => {
    const faults = blocks.flatMap(({ page, line, marks }) => {
      if (marks.includes("tested") || marks.includes("permissions")) return [];
      if (marks.includes("hand")) return byHand[page] === undefined ? [`${page}:${line}: hand`] : [];
      const files = marks.find((mark) => mark.startsWith("by="))?.slice(3).split(",");
      const missing = (files ?? ["no mark"]).filter((file) => !existsSync(join(root, file)));
      return missing.length === 0 ? [] : [`${page}:${line}: ${missing}`];
    });
    assert.ok(blocks.length > 40, `found only ${blocks.length}`);
    assert.deepEqual(faults, []);
  });

  it("are taken by the program, those in sentences too", async () => {
    const spans = pages.flatMap((page) =>
      [...readFileSync(join(root, page), "utf8").matchAll(/`(corndog [^`]+)`/g)].map(([, text]) => ({
        place: page,
        isWhole: false,
        // Synopses: what is in brackets may be there.
        text: text!.replaceAll(/[[\]]/g, ""),
      }))
    );
    const texts = [
      ...blocks.map(({ page, line, text }) => ({ place: `${page}:${line}`, text, isWhole: true })),
      ...spans,
    ];
    const faults: string[] = [];
    let count = 0;
    for (const { place, text, isWhole } of texts) {
      for (const words of commandsOf(text)) {
        if (!/^(\S*\/)?corndog$/.test(words[0] ?? "") || words.length === 1) continue;
        count += 1;
        const fault = await faultOf(words.slice(1), isWhole);
        if (fault !== undefined) faults.push(`${place}: ${words.join(" ")}: ${fault}`);
      }
    }
    assert.ok(count > 80, `found only ${count}`);
    assert.deepEqual(faults, []);
  });
});
