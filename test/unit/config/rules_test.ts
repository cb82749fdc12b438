import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatFault } from "../../../src/core/errors.ts";
import { locateIn, locateInRule, parseRuleFile } from "../../../src/config/rule_files.ts";
import { mergeRuleText, redactText } from "../../../src/config/rule_text.ts";
import { parseYaml } from "../../../src/config/yaml.ts";
import { loadText, shown, warned } from "./memory_files.ts";

const rule = (topic: string) => `{ regex: x, actions: [{ type: forward, topic: ${topic} }] }`;
const file = (...topics: string[]) => `rules:\n${topics.map((topic) => `  - ${rule(topic)}\n`).join("")}`;

function topics(result: ReturnType<typeof loadText>): string[] {
  assert.ok(result.ok, shown(result).join("\n"));
  return result.config.rules.rules.map(({ value }) =>
    (value as { actions: { topic: string }[] }).actions[0]!.topic
  );
}

const ordered: { name: string; text: string; paths?: string[]; want: string[] }[] = [
  {
    name: "rules and files take turns",
    text: `rules:\n  - ${rule("a")}\n  - r/*.yml\n  - ${rule("z")}\n`,
    want: ["a", "b1", "b2", "c", "z"],
  },
  { name: "a file is named twice", text: "rules: [r/2.yml, r/*.yml]\n", want: ["c", "b1", "b2"] },
  { name: "a folder is named", text: "rules: [r]\n", want: ["b1", "b2", "c"] },
  { name: "a pattern goes into folders", text: 'rules: ["**/*.yml"]\n', want: ["b1", "b2", "c", "d"] },
  {
    name: "--rules replaces them",
    text: `rules: [${rule("a")}]\n`,
    paths: ["r/2.yml", "r/1.yml"],
    want: ["c", "b1", "b2"],
  },
];

test("collectRules() says where it looked, and what it found there", () => {
  const result = loadText("rules: [one.yml, r, 's/*.yml', 't/*.yml']\n", {
    others: {
      "/c/one.yml": file("a"),
      "/c/r/1.yml": file("b"),
      "/c/r/2.yaml": file("c"),
      "/c/t/3.yml": file("d"),
    },
  });
  assert.ok(result.ok);
  assert.deepEqual(result.config.rules.origins, [
    { path: "/c/one.yml", matches: ["/c/one.yml"] },
    { path: "/c/r", matches: ["/c/r/1.yml", "/c/r/2.yaml"] },
    { path: "/c/s/*.yml", matches: [] },
    { path: "/c/t/*.yml", matches: ["/c/t/3.yml"] },
  ]);
});

test("loadConfig() keeps what has the right shape when other rules have not, for more faults", () => {
  const result = loadText(
    `rules:\n  - ${
      rule("a")
    }\n  - { regex: x }\n  - r.yml\n  - { regex: z, reg: y, actions: [{ type: stop }] }\ntests: []\n`,
    {
      others: { "/c/r.yml": `rules:\n  - 7\n  - ${rule("b")}\ntests: [{ name: t, input: x, expect: [] }]\n` },
    },
  );
  assert.ok(!result.ok);
  assert.deepEqual(
    result.partial?.rules.rules.map(({ file, path, line }) => [file, path, line]),
    [["/c/corndog.yml", "rules.0", 2], ["/c/r.yml", "rules.1", 3], ["/c/corndog.yml", "rules.3", 5]],
  );
  assert.deepEqual(result.partial.rules.tests, []);
  assert.ok(!Object.hasOwn(result.partial.rules.rules[2]!.value as object, "reg"));
});

for (const { name, text, paths, want } of ordered) {
  test(`collectRules() keeps the order of writing when ${name}`, () => {
    const others = {
      "/c/r/1.yml": file("b1", "b2"),
      "/c/r/2.yml": file("c"),
      "/c/r/.hidden.yml": "x",
      "/c/r/note.txt": "x",
      "/c/s/t/d.yml": file("d"),
    };
    assert.deepEqual(topics(loadText(text, { others, rulePaths: paths ?? [] })), want);
  });
}

test("collectRules() names the faults of all files, and warns of patterns that match nothing", () => {
  const result = loadText("rules: [a.yml, none/*.yml, b.yml]\n", {
    others: { "/c/a.yml": "rules:\n  - regexp: x\n    actions: []\n", "/c/b.yml": "rule: []\n" },
  });
  assert.deepEqual(shown(result), [
    'a.yml:2:5: rules.0.regexp: unknown key "regexp"; did you mean "regex"?',
    "a.yml:2:5: rules.0: has no matcher; write one of regex, jmespath, equals, prefix, contains, severity, facility, all, any, not",
    'b.yml:1:1: rule: the file has neither rules: nor tests:; did you mean "rules"?',
  ]);
  assert.deepEqual(warned(result), [
    "corndog.yml:1:16: rules.1: no file matches none/*.yml; no rules come from there",
  ]);
});

const refused: { name: string; text: string; want: string[] }[] = [
  {
    name: "it is empty",
    text: "",
    want: ["f:1:1: the file is empty; write rules: [] if no rules are meant"],
  },
  {
    name: "rules have no value",
    text: "rules:\n",
    want: ["f:1:1: rules: has no value; write rules: [] if no rules are meant"],
  },
  {
    name: "all rules are commented out",
    text: "rules:\n  # - regex: x\ntests: []\n",
    want: ["f:1:1: rules: has no value; write rules: [] if no rules are meant"],
  },
  {
    name: "it is a list",
    text: "- regex: x\n",
    want: [
      "f:1:1: wants a map with rules: and tests:, but a list is written here; write rules: above the list",
    ],
  },
  {
    name: "rules are a map",
    text: "rules: { a: 1 }\n",
    want: ["f:1:8: rules: wants a list (- ...), but a map is written here"],
  },
  {
    name: "it names other files",
    text: "rules: [x.yml]\n",
    want: [
      'f:1:9: rules.0: wants a rule, but the text "x.yml" is written here; rule files are named in corndog.yml',
    ],
  },
  {
    name: "one action has two unknown keys",
    text: "rules:\n  - regex: x\n    actions:\n      - type: stop\n        foo: 1\n        bar: 2\n",
    want: [
      'f:5:9: rules.0.actions.0.foo: unknown key "foo"',
      'f:6:9: rules.0.actions.0.bar: unknown key "bar"',
    ],
  },
  {
    name: "YAML is broken",
    text: "rules: [\n",
    want: [
      "f:2:1: not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]",
    ],
  },
];

for (const { name, text, want } of refused) {
  test(`parseRuleFile() says where and why when ${name}`, () => {
    const parsed = parseRuleFile(text, "f");
    assert.deepEqual(parsed.ok ? [] : parsed.faults.map(formatFault), want);
  });
}

test("parseRuleFile() takes rules and tests, also from a configuration, whose other keys it leaves alone", () => {
  const tests = "tests:\n  - input: a\n    expect: []\n";
  for (
    const text of [
      file("a") + tests,
      `kafka: { topic: [wrong] }\n${file("a")}${tests}`,
      `global: { x: 1 }\n${file("a")}${tests}`,
    ]
  ) {
    const parsed = parseRuleFile(text, "f");
    assert.ok(parsed.ok);
    assert.equal(parsed.rules.length, 1);
    assert.equal(parsed.tests.length, 1);
  }
});

test("locateInRule() gives the line and column of a character inside a rule's text", () => {
  const text = `rules:
  - name: one
    regex: 'ab(c'
    actions:
      - type: replace
        template: |
          {{nope}}
      - type: forward
        topic: t
`;
  const parsed = parseRuleFile(text, "f");
  assert.ok(parsed.ok);
  const source = parsed.rules[0]!;
  const at = (path: string, column?: number) =>
    formatFault(locateInRule({ source, path, message: "m", ...column === undefined ? {} : { column } }));
  assert.equal(at(""), "f:2:5: rules.0: m");
  assert.equal(at("regex"), "f:3:12: rules.0.regex: m");
  assert.equal(at("regex", 3), "f:3:15: rules.0.regex: m");
  assert.equal(at("actions.1.topic", 1), "f:9:16: rules.0.actions.1.topic: m");
  // A block of several lines: the place of the block is all that is known.
  assert.equal(at("actions.0.template", 5), "f:6:19: rules.0.actions.0.template: m");
  assert.equal(at("actions.0.absent"), "f:5:9: rules.0.actions.0.absent: m");
  // Rules travel to workers as plain data.
  assert.deepEqual(structuredClone(source), source);
  assert.deepEqual(locateIn(text, "rules.0.regex"), { line: 3, column: 12 });
});

test("redactText() hides secrets and moves no line", () => {
  const text = `kafka:
  sasl: { username: u, password: hunter2, mechanism: plain }
global:
  kafka:
    conf:
      sasl.password: 'hunter2'
      ssl.key.password: |
        hunter2
        hunter2
other: &p hunter2
again: { password: *p }
rules:
  - { regex: password, actions: [] }
`;
  const redact = (written: string) => {
    const parsed = parseYaml(written, "f");
    assert.ok(parsed.ok);
    return redactText(written, parsed.document);
  };
  const shownText = redact(text);
  assert.ok(!shownText.includes("hunter2"), shownText);
  assert.equal(shownText.split("\n").indexOf("rules:"), text.split("\n").indexOf("rules:"));
  assert.ok(shownText.includes("regex: password"));
  assert.equal(redact("rules: []  # as it is\n"), "rules: []  # as it is\n");
});

test("loadConfig() keeps no secret in the texts of rule files", () => {
  const text = `kafka: { brokers: k, sasl: { mechanism: plain, username: u, password: hunter2 } }\n${
    file("a")
  }`;
  const result = loadText(text);
  assert.ok(result.ok);
  assert.deepEqual(result.config.rules.files.map(({ path }) => path), ["/c/corndog.yml"]);
  assert.ok(!JSON.stringify(result.config.rules).includes("hunter2"));
});

const merged: { name: string; current: string; edited: string; want: string }[] = [
  {
    name: "the file has rules alone",
    current: file("a"),
    edited: "# new\nrules: []\n",
    want: "# new\nrules: []\n",
  },
  {
    name: "the file is a configuration with a secret",
    current: `# top\nkafka:\n  sasl: { password: hunter2 } # mine\n${file("a")}\nworkers: 2\n`,
    edited: `kafka:\n  sasl: { password: "***" }\n${file("b", "c")}workers: 9\n`,
    want: `# top\nkafka:\n  sasl: { password: hunter2 } # mine\n${file("b", "c")}\nworkers: 2\n`,
  },
  {
    name: "only rules are sent",
    current: `workers: 2\n${file("a")}tests: []\n`,
    edited: file("b"),
    want: `workers: 2\n${file("b")}`,
  },
  {
    name: "tests are new",
    current: `workers: 2\n${file("a")}`,
    edited: `${file("a")}tests: []\n`,
    want: `workers: 2\n${file("a")}tests: []\n`,
  },
  {
    name: "the last line has no end",
    current: `rules: []\nworkers: 2`,
    edited: `${file("b")}tests: []`,
    want: `${file("b")}workers: 2\ntests: []\n`,
  },
];

for (const { name, current, edited, want } of merged) {
  test(`mergeRuleText() changes rules and tests and nothing else when ${name}`, () => {
    assert.equal(mergeRuleText(current, edited), want);
  });
}

test("mergeRuleText() keeps every other byte when rules come and go", () => {
  const names = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 3 });
  fc.assert(fc.property(names, names, fc.boolean(), (before, after, first) => {
    const other = "# mine\nkafka:\n  sasl: { password: hunter2 }\n";
    const section = (list: string[]) => list.length === 0 ? "rules: []\n" : file(...list);
    const whole = (list: string[]) => first ? section(list) + other : other + section(list);
    assert.equal(mergeRuleText(whole(before), section(after)), whole(after));
  }));
});

test("parseRuleFile() never throws when the text is arbitrary", () => {
  const piece = fc.constantFrom(
    "rules:",
    "tests:",
    "\n",
    "  - ",
    "regex: x",
    "actions:",
    "[",
    "]",
    "{",
    "}",
    "type: ",
    "forward",
    "topic: ",
    "expect: ",
    "'",
    ": ",
    "*a",
    "&a ",
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(piece, { maxLength: 30 }).map((parts) => parts.join("")),
      ),
      (text) => {
        const parsed = parseRuleFile(text, "f");
        if (!parsed.ok) assert.ok(parsed.faults.length > 0);
      },
    ),
  );
});
