import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { checkOwnPattern, compileRedact, hashesMax } from "../../../src/rules/redact.ts";
import { isCard } from "../../../src/rules/redact_scan.ts";
import { bestMs } from "../../support/best_ms.ts";

const all = ["email", "ip", "card", "bearer"] as const;
const names = { kind: "text", text: undefined } as const;
const redact = compileRedact(all, names);

function own(regex: string, name = "own") {
  const checked = checkOwnPattern({ regex, name });
  assert(checked.ok, JSON.stringify(checked));
  return checked.pattern;
}

const table: [string, string, string][] = [
  ["an address in a sentence", "mail ada@example.org.", "mail [email]."],
  ["a long one", "<a.b+c_d-e@x.y.example.co.uk>", "<[email]>"],
  ["two", "a@b.cc,c@d.ee", "[email],[email]"],
  ["one of a URL", "/u?m=ada%40example.org&x=1", "/u?m=[email]&x=1"],
  ["letters beyond ASCII", "jörg@müller.example", "[email]"],
  ["no domain", "user@localhost a@b a@.de @x.de x@", "user@localhost a@b a@.de @x.de x@"],
  ["a version", "pkg@1.2.3", "pkg@1.2.3"],
  ["IPv4", "from 192.0.2.7:514 to 10.0.0.1.", "from [ip]:514 to [ip]."],
  ["IPv4 in brackets", "[192.0.2.7]", "[[ip]]"],
  ["no IPv4", "1.2.3 256.1.1.1 1.2.3.4.5 1.2.3.4567", "1.2.3 256.1.1.1 1.2.3.4.5 1.2.3.4567"],
  ["IPv6", "from 2001:db8::7, ::1 and fe80::1%eth0", "from [ip], [ip] and [ip]%eth0"],
  ["IPv6 with a port", "[2001:db8::7]:514", "[[ip]]:514"],
  ["IPv6 behind a label", "peer:2001:db8:0:0:0:0:0:1 addr=2001:db8::1", "peer:[ip] addr=[ip]"],
  ["IPv4 in IPv6", "::ffff:192.0.2.7", "[ip]"],
  [
    "no IPv6",
    "12:34:56 std::string a::b:: 00:1b:44:11:3a:b7 ::",
    "12:34:56 std::string a::b:: 00:1b:44:11:3a:b7 ::",
  ],
  ["a card", "card 4111111111111111!", "card [card]!"],
  ["a card in groups", "4111 1111 1111 1111 5500-0000-0000-0004", "[card] [card]"],
  ["a card beside a date", "4111 1111 1111 1111 2026", "[card] 2026"],
  ["American Express", "3782 822463 10005", "[card]"],
  [
    "no card",
    "4111111111111112 1111111111111117 411111111111111",
    "4111111111111112 1111111111111117 411111111111111",
  ],
  [
    "a part of a longer number",
    "94111111111111111 41111111111111110000",
    "94111111111111111 41111111111111110000",
  ],
  ["a token", "Authorization: Bearer abc.DEF-123_~+/==", "Authorization: Bearer [bearer]"],
  ["a token in JSON", '{"authorization":"bearer eyJhbGciOi.J9"}', '{"authorization":"bearer [bearer]"}'],
  ["a token of a URL", "?t=Bearer%20abcdef123", "?t=Bearer%20[bearer]"],
  ["no token", "the bearer of this", "the bearer of this"],
  [
    "a JSON number",
    '{"n":4111111111111111,"m":-4111111111111111,"k":[4111111111111111]}',
    '{"n":"[card]","m":"[card]","k":["[card]"]}',
  ],
  [
    "escapes in JSON",
    '{"a":"x\\nada@example.org\\t1","b":"q\\"192.0.2.7\\""}',
    '{"a":"x\\n[email]\\t1","b":"q\\"[ip]\\""}',
  ],
  ["escaped characters in JSON", '{"a":"ada\\u0040example\\u002eorg"}', '{"a":"[email]"}'],
  ["escaped letters in JSON", '{"a":"j\\u00f6rg@example.org"}', '{"a":"[email]"}'],
  [
    "an escaped backslash in JSON",
    '{"a":"\\\\u0040 x\\\\ada@example.org"}',
    '{"a":"\\\\u0040 x\\\\[email]"}',
  ],
  ["nothing", "nothing to see", "nothing to see"],
  ["nothing at all", "", ""],
];

for (const [name, input, want] of table) {
  test(`compileRedact() redacts ${name}`, () => assert.equal(redact(input), want));
}

test("compileRedact() gives the text itself when there is nothing to redact", () => {
  const odd = '{ "a" : "\\u0041\\n" , "n":1.0}';
  assert.equal(redact(odd), odd);
});

test("compileRedact() writes the replacement that the rule asks for", () => {
  const custom = compileRedact(["email"], { kind: "text", text: '<"x">' });
  assert.equal(custom("to ada@example.org"), 'to <"x">');
  assert.equal(custom('{"a":"ada@example.org"}'), '{"a":"<\\"x\\">"}');
});

test("compileRedact() keeps equal data joinable by HMAC-SHA256 of what it is, not of how it is written", () => {
  const hash = compileRedact(all, { kind: "hash", key: "secret" });
  const token = (name: string, data: string) =>
    `[${name}:${createHmac("sha256", "secret").update(data).digest("hex").slice(0, 32)}]`;
  assert.equal(hash("Ada@Example.org"), token("email", "ada@example.org"));
  assert.equal(hash("m=ada%40example.org"), `m=${token("email", "ada@example.org")}`);
  assert.equal(hash('{"a":"\\nada\\u0040example.org"}'), `{"a":"\\n${token("email", "ada@example.org")}"}`);
  assert.equal(hash("4111 1111 1111 1111"), token("card", "4111111111111111"));
  assert.equal(hash('{"n":4111111111111111}'), `{"n":"${token("card", "4111111111111111")}"}`);
  assert.equal(hash("2001:DB8::1"), token("ip", "2001:db8::1"));
  const other = compileRedact(all, { kind: "hash", key: "other" });
  assert.notEqual(hash("ada@example.org"), other("ada@example.org"));
});

const ownTable: [string, string, string][] = [
  ["uid=(\\d+)", "uid=5 uid=67x", "[own] [own]x"],
  ["(?i)secret", "SECRETsecret", "[own][own]"],
  ["a+", "aaabaa", "[own]b[own]"],
  ["\\bx", "x xx ax", "[own] [own]x ax"],
  ["é+", "ééa😀é", "[own]a😀[own]"],
  ["😀", "a😀b", "a[own]b"],
  ["(a|aa)+$", "baaa", "b[own]"],
  ["(?:a*b)?c|d", "aabc d", "[own] [own]"],
];

for (const [regex, input, want] of ownTable) {
  test(`compileRedact() redacts ${regex} in ${input}`, () => {
    assert.equal(compileRedact([own(regex)], names)(input), want);
  });
}

test("compileRedact() finds with its own patterns what a plain search finds, on either engine", () => {
  const patterns = ["a+", "ab|b", "[a-b]{2}", "a.c", "(a|b)*c", "\\ba", "a$", "(?:a|ab)(?:c|bcd)", "b?a?c"];
  fc.assert(fc.property(
    fc.constantFrom(...patterns),
    fc.string({ unit: fc.constantFrom("a", "b", "c", " ", "é"), maxLength: 30 }),
    (regex, text) => {
      const want = text.replaceAll(new RegExp(regex, "gu"), (found) => found === "" ? "" : "[own]");
      assert.equal(compileRedact([own(regex)], names)(text), want);
    },
  ));
});

test("checkOwnPattern() refuses what would match nothing, and what RE2 refuses", () => {
  assert.match(JSON.stringify(checkOwnPattern({ regex: "a*", name: "x" })), /matches the empty text/);
  assert.match(JSON.stringify(checkOwnPattern({ regex: "(?=a)b", name: "x" })), /look-ahead/);
});

test("compileRedact() joins matches that overlap, so that nothing of them is left", () => {
  const both = compileRedact([own("user=\\S+", "user"), "email"], names);
  assert.equal(both("user=ada@example.org x"), "[user] x");
  assert.equal(compileRedact([own("abc", "one"), own("cde", "two")], names)("xabcdex"), "x[one]x");
});

/** Whole groups of digits with single separators between them: another way to look for cards. */
function hasCard(text: string): boolean {
  const groups = [...text.matchAll(/\d+/g)].map(({ 0: digits, index }) => ({ digits, index }));
  return groups.some((_, from) => {
    let digits = "";
    for (let at = from; at < groups.length && digits.length < 20; at++) {
      const before = groups[at - 1];
      if (at > from) {
        const between = text.slice(before!.index + before!.digits.length, groups[at]!.index);
        if (between !== " " && between !== "-") return false;
      }
      digits += groups[at]!.digits;
      const head = Number(digits.slice(0, 4));
      const sum = [...digits].reverse().map(Number)
        .map((digit, place) => place % 2 === 0 ? digit : [0, 2, 4, 6, 8, 1, 3, 5, 7, 9][digit]!)
        .reduce((total, digit) => total + digit, 0);
      if (
        digits.length >= 13 && digits.length <= 19 && sum % 10 === 0 &&
        ((head >= 2221 && head <= 2720) || (head >= 3000 && head < 7000))
      ) return true;
    }
    return false;
  });
}

/** Digits that end in the check digit that makes them a card. */
const card = fc.tuple(
  fc.constantFrom("4", "51", "2221", "2720", "37", "6011"),
  fc.string({ unit: fc.constantFrom(..."0123456789"), minLength: 9, maxLength: 14 }),
  fc.array(fc.constantFrom("", "", "", " ", "-"), { minLength: 20, maxLength: 20 }),
).map(([head, rest, separators]) => {
  const digits = head + rest;
  const check = [..."0123456789"].find((digit) => isCard(digits + digit)) ?? "";
  return [...digits + check].map((digit, at) => digit + separators[at]).join("").replace(/[ -]$/, "");
});
const around = fc.string({
  unit: fc.constantFrom("x", " ", "-", "4", "1", '"', ":", ",", "{", "}", "é"),
  maxLength: 8,
});

test("redact leaves no card with a right check digit, whatever stands around it", () => {
  let cards = 0;
  fc.assert(
    fc.property(fc.array(fc.tuple(around, card), { maxLength: 5 }), around, (pieces, end) => {
      const text = pieces.flat().join("") + end;
      if (hasCard(text)) cards++;
      const output = redact(text)!;
      assert.ok(!hasCard(output), `${text} gave ${output}`);
    }),
    { numRuns: 2000 },
  );
  assert.ok(cards > 500, `only ${cards} texts had a card`);
});

test("redact keeps JSON as JSON, and what it does not redact", () => {
  const leaf = fc.oneof(
    fc.string({ unit: "binary" }),
    card,
    card.map((digits) => Number(digits.replaceAll(/\D/g, "").slice(0, 16))),
    fc.constantFrom("ada@example.org", '"192.0.2.7\\', "bearer abcdefg\n", "j\u00f6rg@example.org"),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
  );
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      leaf,
      fc.array(tie("value")),
      fc.dictionary(fc.string(), tie("value")),
    ),
  }));
  const escape = (text: string) =>
    text.replaceAll("@", "\\u0040").replaceAll(
      /[\u0080-\uffff]/g,
      (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 4 }), fc.boolean(), (document, escaped) => {
      const text = JSON.stringify(document);
      const output = redact(escaped ? escape(text) : text)!;
      const parsed = JSON.parse(output) as unknown;
      assert.deepEqual(parsed, JSON.parse(redact(text)!));
      assert.ok(!/ada@|192\.0\.2\.7|rg@example/.test(JSON.stringify(parsed)));
    }),
    { numRuns: 150 },
  );
});

/** Milliseconds that one text may hold a worker. */
const heldMsMax = 50;

const hashing = compileRedact(all, { kind: "hash", key: "k" });

test("redact takes no more than 50 ms for hostile texts of 64 KiB", () => {
  const fill = (unit: string) => unit.repeat(Math.ceil(65_536 / unit.length)).slice(0, 65_536);
  const texts = [
    "@",
    "a@",
    "a@b.",
    "a@b.cc ",
    "4 ",
    "4-1",
    "41",
    ":",
    "a:",
    "::1 ",
    "1.",
    "1.2.3.4 ",
    "%40",
    "bearer ",
    "bearer\t\t",
    "ab:",
    "\\",
    '"',
    "x",
    "\\u0040",
  ].map(fill);
  texts.push(`{"a":"${fill("\\u0040")}"}`, `{"a":"${fill("a\\n")}"}`, `[${fill("4111111111111111,")}0]`);
  const natives = compileRedact([own("a(?:.*z)?"), own("(?:a|b)+c"), own("\\d{3,}")], names);
  for (const text of texts) {
    for (const run of [redact, hashing, natives]) {
      const best = bestMs(() => void run(text), heldMsMax);
      assert.ok(best < heldMsMax, `${text.slice(0, 12)}: ${best} ms`);
    }
  }
});

test("redact refuses a text with more matches than it can look for in time, and never lets it pass", () => {
  const scanning = compileRedact([own("a(?:.*z)?")], names);
  assert.equal(scanning("a".repeat(65_536)), undefined);
  assert.equal(scanning("a b a"), "[own] b [own]");
  assert.notEqual(hashing("::1 ".repeat(hashesMax)), undefined);
  assert.equal(hashing("::1 ".repeat(hashesMax + 1)), undefined);
});
