import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RE2JS } from "re2js";
import {
  checkRegex,
  compileRegex,
  linearCharsMax,
  matched,
  noMatch,
  patternCharsMax,
  type Regex,
  type RegexClass,
  tooCostly,
} from "../../../src/rules/regex.ts";
import { bestMs } from "../../support/best_ms.ts";

/** Compiles `pattern` with all its named groups wanted, in the order of their numbers. */
function compileAll(pattern: string): { regex: Regex; slots: string[] } {
  const checked = checkRegex(pattern);
  assert(checked.ok, `${pattern} is legal: ${checked.ok ? "" : checked.fault.message}`);
  const groups = [...checked.regex.names.values()];
  return {
    regex: compileRegex(checked.regex, groups.map((group, slot) => ({ group, slot }))),
    slots: groups.map(() => "unset"),
  };
}

/** What the linear engine says, in the same form: undefined for no match. */
function linearAnswer(regex: RE2JS, text: string): string[] | undefined {
  const matcher = regex.matcher(text);
  if (!matcher.find()) return undefined;
  return Object.values(regex.namedGroups()).map((group) => matcher.group(group) ?? "");
}

function answer({ regex, slots }: { regex: Regex; slots: string[] }, text: string): string[] | undefined {
  const result = regex.match(text, slots);
  assert.notEqual(result, tooCostly);
  return result === matched ? [...slots] : undefined;
}

const classes: [string, RegexClass][] = [
  ["", "always"],
  [".*", "always"],
  ["^", "always"],
  ["$", "always"],
  ["^.*", "always"],
  [".*$", "always"],
  ["(?s).*", "always"],
  ["(a|b*)", "always"],
  ["^.*$", "native"],
  ["^$", "literal"],
  ["hello", "literal"],
  ["^hello$", "literal"],
  ["a\\.b\\Q[c]\\E", "literal"],
  ["^hello\\s+(?P<name>\\w+)?", "native"],
  ["\\d+\\.\\d+", "native"],
  ["\\b\\w+@\\w+\\.com", "native"],
  [".*foo.*", "native"],
  ["(?i)error|warn|fatal", "native"],
  ["^(?:a|bc)*$", "native"],
  ["user=([^ ]+) from", "hybrid"],
  ["foo.*bar", "hybrid"],
  ["(a+)+b", "linear"],
  ["(a|aa)+$", "linear"],
  ["(a?){20}a{20}", "linear"],
  ["\\pL+x", "linear"],
  ["(?i)é", "linear"],
  ["(?P<x>a*)*b", "linear"],
  ["\\Ba", "linear"],
  ["(?:(?P<x>a)|b)*c", "linear"],
];

for (const [pattern, kind] of classes) {
  test(`compileRegex() classifies ${JSON.stringify(pattern)} as ${kind}`, () => {
    assert.equal(compileAll(pattern).regex.kind, kind);
  });
}

const prefixes: [string, string][] = [
  ["^hello\\s+(?P<name>\\w+)?", "hello"],
  ["^a.c", "a"],
  ["^ab?c", "a"],
  ["^(?:ab)c", ""],
  ["^(a|b)", ""],
  ["^a|b", ""],
  ["(?i)^abc", ""],
  ["(?m)^abc", ""],
  ["abc", ""],
  ["^", ""],
  ["^aé", "a"],
  ["\\Aab", "ab"],
];

for (const [pattern, prefix] of prefixes) {
  test(`compileRegex() of ${pattern} has the prefix ${JSON.stringify(prefix)}`, () => {
    const checked = checkRegex(pattern);
    assert(checked.ok);
    assert.equal(compileRegex(checked.regex).prefix, prefix);
  });
}

test("compileRegex() counts captures only when they are wanted", () => {
  const checked = checkRegex("(?P<all>.*)");
  assert(checked.ok);
  assert.equal(compileRegex(checked.regex, []).kind, "always");
  assert.equal(compileRegex(checked.regex, [{ group: 1, slot: 0 }]).kind, "native");
});

const refused: [string, string, number][] = [
  ["(?=a)", "look-ahead", 1],
  ["ab(?!c)", "negative look-ahead", 3],
  ["x(?<=a)b", "look-behind", 2],
  ["x(?<!a)b", "negative look-behind", 2],
  ["(a)\\1", "back-reference", 4],
  ["(?P<n>a)(?P=n)", "back-reference", 9],
  ["(?P<n>a)\\k<n>", "back-reference", 9],
  ["a(?>b)", "atomic", 2],
  ["[(?=]a\\2", "back-reference", 7],
  ["[](?=](?=x)", "look-ahead", 7],
  ["[[:alpha:](?=](?=x)", "look-ahead", 15],
  ["\\Q(?=\\E(?=x)", "look-ahead", 8],
  ["\\((?=x)", "look-ahead", 3],
  ["a**", "nested repetition", 2],
  ["ab[", "closing ]", 3],
  ["x{1001}", "repeat count", 2],
  ["(?x)a", "Perl syntax", 1],
  ["(\\w{500}){2}", "too large", 1],
  ["a".repeat(patternCharsMax + 1), "at most 4096", patternCharsMax + 1],
];

for (const [pattern, message, column] of refused) {
  test(`checkRegex() refuses ${JSON.stringify(pattern.slice(0, 30))} and says where`, () => {
    const checked = checkRegex(pattern);
    assert(!checked.ok);
    assert(checked.fault.message.includes(message), checked.fault.message);
    assert.equal(checked.fault.column, column);
  });
}

const taken = [
  "[(?=]",
  "\\Q(?=\\E",
  "\\(?=",
  "[[:^alpha:]\\d]",
  "(?<n>a)",
  "\\x{1F600}",
  "\\101",
  "[a&&b]",
  "x{,2}",
  "a{",
];
for (const pattern of taken) {
  test(`checkRegex() takes ${pattern}`, () => assert(checkRegex(pattern).ok));
}

/** Where RE2 and JavaScript part ways: pattern, text, does RE2 match. */
const semantics: [string, string, boolean][] = [
  ["^a.b$", "a\nb", false],
  ["(?s)^a.b$", "a\nb", true],
  ["^a.b$", "a\rb", true],
  ["^a.b$", "a\u2028b", true],
  ["^a$", "a\n", false],
  ["(?m)^a$", "b\na\nc", true],
  ["(?m)^a$", "b\ra\rc", false],
  ["(?m)^a$", "b\u2028a", false],
  ["^\\s$", "\u00a0", false],
  ["^\\s$", "\ufeff", false],
  ["^\\s$", "\v", false],
  ["^[[:space:]]$", "\v", true],
  ["^\\w$", "é", false],
  ["^\\d$", "٣", false],
  ["\\bé", " é", false],
  ["(?i)^k$", "\u212a", true],
  ["(?i)^[s]$", "\u017f", true],
  ["(?i)^[^s]$", "\u017f", false],
  ["(?i)^\\w$", "\u017f", true],
  ["(?i)^hello$", "HeLLo", true],
  ["^.$", "😀", true],
  ["^[^a]$", "😀", true],
  ["^..$", "😀", false],
  ["^\\x{1F600}+$", "😀😀", true],
  ["\\B", "a😀a", false],
  ["a\\z", "a", true],
  ["\\Aa", "ba", false],
  ["(?U)^a+$", "aaa", true],
  ["^[\\w-z]$", "-", true],
  ["^[]a]$", "]", true],
  ["^[^]a]$", "]", false],
  ["a(?i)b|c", "C", true],
  ["(?:a(?i)b)c", "aBC", false],
  ["^x{,2}$", "x{,2}", true],
  ["^\\Qa.b\\E+$", "a.bbb", true],
];

for (const [pattern, text, want] of semantics) {
  test(`compileRegex() of ${pattern} ${want ? "matches" : "does not match"} ${JSON.stringify(text)} as RE2 does`, () => {
    assert.equal(linearAnswer(RE2JS.compile(pattern), text) !== undefined, want);
    assert.equal(answer(compileAll(pattern), text) !== undefined, want);
  });
}

test("compileRegex() gives the groups' texts, empty for one that took no part", () => {
  assert.deepEqual(answer(compileAll("^hello\\s+(?P<name>\\w+)?"), "hello there"), ["there"]);
  assert.deepEqual(answer(compileAll("^hello\\s+(?P<name>\\w+)?"), "hello "), [""]);
  assert.deepEqual(answer(compileAll("(?P<b>x)|(?P<a>y)"), "y"), ["", "y"]);
  assert.deepEqual(answer(compileAll("(x)(?P<a>y)(?P<b>z)"), "xyz"), ["y", "z"]);
  assert.deepEqual(
    answer(compileAll("(?:(?P<x>a)|b)*c"), "abc"),
    ["a"],
    "the last round's capture is kept, as in RE2",
  );
});

/** Patterns of all shapes, over a small alphabet with what is special about it. */
const pattern = fc.letrec<{ node: string; atom: string }>((tie) => ({
  atom: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom("a", "b", "k", "s", " ", "-", "é", "😀", "\\.", "0", "\\n") },
    {
      weight: 4,
      arbitrary: fc.constantFrom(
        ".",
        "\\w",
        "\\d",
        "\\s",
        "\\W",
        "\\S",
        "[ab]",
        "[^a]",
        "[a-k]",
        "[[:alpha:]]",
        '[^\\s"]',
      ),
    },
    { weight: 1, arbitrary: fc.constantFrom("^", "$", "\\b", "\\B", "\\A", "\\z", "") },
    { weight: 1, arbitrary: tie("node").map((node) => `(?:${node})`) },
    { weight: 2, arbitrary: tie("node").map((node) => `(${node})`) },
    {
      weight: 1,
      arbitrary: fc.tuple(fc.constantFrom("i", "s", "m", "U", "im", "s-i"), tie("node")).map((
        [flags, node],
      ) => `(?${flags}:${node})`),
    },
    { weight: 1, arbitrary: fc.tuple(tie("node"), tie("node")).map(([a, b]) => `(?:${a}|${b})`) },
  ),
  node: fc.array(
    fc.tuple(
      tie("atom"),
      fc.constantFrom("", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,3}", "{0,2}?", "{2,}"),
    ),
    { minLength: 1, maxLength: 4 },
  ).map((items) => items.map(([atom, quantifier]) => atom === "" ? atom : atom + quantifier).join("")),
})).node;

const text = fc.array(
  fc.constantFrom(
    "a",
    "b",
    "k",
    "s",
    "K",
    "\u212a",
    "\u017f",
    " ",
    "-",
    "é",
    "😀",
    ".",
    "0",
    "\n",
    "\r",
    "\u00a0",
    "\u2028",
    '"',
  ),
  { maxLength: 12 },
).map((chars) => chars.join(""));

/** Names every capturing group, so that all of them are compared. */
function nameGroups(source: string): string {
  let count = 0;
  return source.replaceAll(/\\.|\((?!\?)/g, (found) => found === "(" ? `(?P<g${count++}>` : found);
}

test("compileRegex() answers as the linear engine does, for any pattern and text", () => {
  const kinds = new Map<string, number>();
  fc.assert(
    fc.property(
      pattern,
      fc.array(text, { minLength: 3, maxLength: 6 }),
      fc.boolean(),
      (source, texts, named) => {
        const full = named ? nameGroups(source) : source;
        if (!checkRegex(full).ok) return;
        const compiled = compileAll(full);
        const { kind } = compiled.regex;
        kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
        const reference = RE2JS.compile(full);
        for (const input of texts) {
          const want = linearAnswer(reference, input);
          assert.deepEqual(answer(compiled, input), want, `${full} on ${input}`);
          assert(
            want === undefined || input.startsWith(compiled.regex.prefix),
            `${full} has its prefix in ${input}`,
          );
        }
      },
    ),
    { numRuns: 800 },
  );
  for (const kind of ["always", "literal", "native", "hybrid", "linear"]) {
    assert((kinds.get(kind) ?? 0) > 5, `the property met ${kind} patterns`);
  }
});

const longChars = 65_536;
/** The promise is 50 ms; a machine that runs other things at once must not fail the test by that alone. */
const attackMsMax = 50;

/** Texts made to hold a backtracking engine: runs of what the pattern's loops take, and a wrong end. */
const attackTexts = [
  "a",
  "ab",
  "0",
  "0.",
  " ",
  "user=",
  "a,",
  "a=b ",
  '"',
  "foo",
  "aA0_",
  "x=1 ",
  "-",
  "é",
  "😀",
].flatMap(
  (unit) => {
    const run = unit.repeat(Math.floor((longChars - 4) / unit.length));
    return [run, `${run}!`, `${run}\n`, `${run} from x`, `b${run}c`];
  },
);

const attackPatterns = [
  ...classes.map(([source]) => source),
  "(?P<ip>\\d+\\.\\d+\\.\\d+\\.\\d+)",
  "(?P<ip>\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}\\.\\d{1,3})",
  "user=(?P<u>[^ ]+) from (?P<ip>[^ ]+) port (?P<p>\\d+)",
  '^(?P<ip>\\S+) \\S+ (?P<user>\\S+) \\[(?P<t>[^\\]]+)\\] "(?P<m>\\w+) (?P<path>\\S+) [^"]*" (?P<s>\\d{3})',
  "Failed password for (?:invalid user )?(?P<user>\\S+) from (?P<ip>\\S+)",
  "(?P<a>.*)(?P<b>.*)(?P<c>.*)(?P<d>.*)(?P<e>.*)!",
  "(?P<a>(a?){50}a{50})$",
  "(?:(?P<x>[a-z]+),?)+!",
  "^(?:[a-z]+=[^ ]* ?)*$",
  "(?P<k>\\w+)=(?P<v>\\w*)",
  "([a-z]+)*@",
  "(?i)(select|insert|update|delete).*(from|into|set)",
  "(a|b)*a(a|b){30}!",
  "(?:a|b)*?(?:a|0)*?(?:0|\\.)*?!",
  "[a-z]{1,200}!",
  "(?:\\w+\\W+){3,9}end",
  ".*.*.*=.*",
  "\\s+$",
  "^\\s+|\\s+$",
];

for (const source of attackPatterns) {
  test(`compileRegex() of ${JSON.stringify(source)} holds no worker on hostile lines of 64 KiB`, () => {
    const { regex, slots } = compileAll(source);
    for (const input of attackTexts) {
      const best = bestMs(() => void regex.match(input, slots), attackMsMax);
      assert(
        best < attackMsMax,
        `${best.toFixed(1)} ms on ${JSON.stringify(input.slice(0, 12))}… (${regex.kind})`,
      );
    }
  });
}

test("compileRegex() with a proof answers rightly on long texts, where engines have limits of their own", () => {
  for (const source of attackPatterns) {
    const { regex } = compileAll(source);
    if (regex.kind !== "native") continue;
    for (const input of attackTexts) {
      const isMatch = regex.match(input, []) === matched;
      assert.equal(
        isMatch,
        RE2JS.compile(source).test(input),
        `${source} on ${JSON.stringify(input.slice(0, 12))}…`,
      );
    }
  }
});

test("compileRegex() of any pattern that loads is done in time", () => {
  const repeated = fc.array(fc.constantFrom("a", "b", "k", "0", " ", "-", "."), {
    minLength: 1,
    maxLength: 3,
  })
    .map((unit) => unit.join("").repeat(longChars).slice(0, longChars - 1) + "!");
  fc.assert(
    fc.property(pattern.map(nameGroups), repeated, (source, input) => {
      const checked = checkRegex(source);
      if (!checked.ok) return;
      const { regex, slots } = compileAll(source);
      const best = bestMs(() => void regex.match(input, slots), attackMsMax);
      assert(best < attackMsMax, `${best.toFixed(1)} ms, ${source} is ${regex.kind}`);
    }),
    { numRuns: 200 },
  );
});

test("match() answers tooCostly where text and pattern pass the bound of the linear engine", () => {
  const source = "(?P<a>(?:a|aa)+)$";
  const { regex, slots } = compileAll(source);
  assert.equal(regex.kind, "linear");
  const charsMax = linearCharsMax(RE2JS.compile(source).programSize());
  assert.equal(regex.match("a".repeat(charsMax), slots), matched);
  assert.equal(slots[0].length, charsMax);
  assert.equal(regex.match("a".repeat(charsMax + 1), slots), tooCostly);
  assert.equal(
    regex.match("b".repeat(charsMax + 1), slots),
    noMatch,
    "its automaton is small: no match is known",
  );
});

test("match() answers tooCostly without a search where the automaton is not small", () => {
  const source = "(?:a|aa)*(?:a|b)*a(?:a|b){12}\\pL";
  const { regex, slots } = compileAll(source);
  const charsMax = linearCharsMax(RE2JS.compile(source).programSize());
  assert.equal(regex.match("c".repeat(charsMax), slots), noMatch);
  assert.equal(regex.match("c".repeat(charsMax + 1), slots), tooCostly);
});
