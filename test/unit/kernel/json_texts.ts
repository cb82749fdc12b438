/**
 * JSON texts for tests as senders write them, and worse: white space anywhere, escapes where none is needed,
 * duplicate keys, keys that every object inherits, deep nesting, and texts with something broken in them.
 *
 * @module
 */
import fc from "fast-check";

/** Few names, so that duplicates and hits are common. */
export const names: readonly string[] = [
  "a",
  "b",
  "meta",
  "topic",
  "topics",
  "",
  "é",
  'q"',
  "__proto__",
  "constructor",
  "\ud800",
];

const space = fc.constantFrom("", "", "", "", " ", "\t", "\r\n", "  ");

/** The inside of a JSON string for `text`: each character as it is, or as one of its escapes. */
function escapes(text: string): fc.Arbitrary<string> {
  return fc.infiniteStream(fc.integer({ min: 0, max: 7 })).map((choices) => {
    let out = "";
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      const choice = choices.next().value!;
      const hex = `\\u${code.toString(16).padStart(4, "0")}`;
      const isSurrogate = code >= 0xd800 && code < 0xe000;
      if (isSurrogate || choice === 0) out += choice === 1 ? hex.toUpperCase().replace("U", "u") : hex;
      else if (code < 0x20 || code === 0x22 || code === 0x5c) out += JSON.stringify(text[index]).slice(1, -1);
      else out += text[index];
    }
    return `"${out}"`;
  });
}

const word = fc.oneof(
  fc.constantFrom(...names),
  fc.string({ maxLength: 40 }),
  fc.string({ unit: "binary", maxLength: 8 }),
  fc.constantFrom("\u2028", "😀", "\u0000", "x".repeat(100), "\\", '"', "\u007f"),
);
const text = word.chain(escapes);
const key = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...names) }, { weight: 1, arbitrary: word })
  .chain(escapes);
const number = fc.oneof(
  fc.integer().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
  fc.constantFrom(
    "0",
    "-0",
    "1.0",
    "1e999",
    "-1E-2",
    "9007199254740993",
    "123456789012345",
    "1234567890123456",
    "0.10",
  ),
);

const { value, object } = fc.letrec<{ value: string; list: string; object: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", maxDepth: 5 },
    fc.oneof(text, number, fc.constantFrom("true", "false", "null")),
    tie("object"),
    tie("list"),
  ),
  list: fc.tuple(space, fc.array(fc.tuple(tie("value"), space), { maxLength: 4 }))
    .map(([open, items]) => `[${open}${items.map(([item, after]) => item + after).join(",")}]`),
  object: fc.tuple(
    space,
    fc.array(fc.tuple(space, key, space, space, tie("value"), space), { maxLength: 6 }),
  ).map(([open, members]) =>
    `{${open}${members.map(([s1, k, s2, s3, v, s4]) => s1 + k + s2 + ":" + s3 + v + s4).join(",")}}`
  ),
}));

/** The text of a JSON object. */
export const objectText: fc.Arbitrary<string> = fc.tuple(space, object, space).map((parts) => parts.join(""));

/** The text of any JSON value. */
export const valueText: fc.Arbitrary<string> = value;

const breakers = [
  '"',
  "\\",
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  "0",
  "-",
  ".",
  "e",
  "+",
  "t",
  "null",
  "true",
  "fals",
  "\u0000",
  "\u0001",
  "\n",
  " ",
  "\u00a0",
  "\ufeff",
  "\\u12",
  "\\ud800",
  "\\x",
  "//",
  "'",
  "NaN",
  "00",
  "01",
  "1.",
  ".5",
  "é",
  "\x80",
];

/** A JSON object with a few edits: mostly broken, now and then still JSON. Characters up to 0xff stand for bytes. */
export const mutatedBytes: fc.Arbitrary<Uint8Array> = fc.tuple(
  objectText,
  fc.array(
    fc.record({
      at: fc.nat(),
      remove: fc.integer({ min: 0, max: 3 }),
      insert: fc.oneof(fc.constantFrom(...breakers), fc.integer({ min: 0, max: 255 })),
    }),
    { minLength: 1, maxLength: 3 },
  ),
).map(([source, edits]) => {
  let bytes = [...new TextEncoder().encode(source)];
  for (const { at, remove, insert } of edits) {
    const from = at % (bytes.length + 1);
    const added = typeof insert === "number" ? [insert] : [...new TextEncoder().encode(insert)];
    bytes = [...bytes.slice(0, from), ...added, ...bytes.slice(from + remove)];
  }
  return Uint8Array.from(bytes);
});
