/**
 * Looking up a parameter in structured data, as text (RFC 5424 6.3). The kernel has checked the grammar, so this
 * walks: `[ID NAME="VALUE" …][ID …]`, with `"`, `\` and `]` escaped by `\` in values.
 *
 * @module
 */

/** The first parameter of that name in the first element of that id that has it, unescaped; else undefined. */
export function findParameter(structuredData: string, id: string, name: string): string | undefined {
  let at = 0;
  while (structuredData[at] === "[") {
    const idStart = at + 1;
    at = nameEnd(structuredData, idStart);
    const wanted = structuredData.slice(idStart, at) === id;
    while (structuredData[at] === " ") {
      const nameStart = at + 1;
      const equals = nameEnd(structuredData, nameStart);
      const valueStart = equals + 2;
      const valueEnd = quoteAt(structuredData, valueStart);
      if (wanted && structuredData.slice(nameStart, equals) === name) {
        return unescape(structuredData.slice(valueStart, valueEnd));
      }
      at = valueEnd + 1;
    }
    at++;
  }
  return undefined;
}

function nameEnd(text: string, at: number): number {
  while (at < text.length && text[at] !== "=" && text[at] !== " " && text[at] !== "]") at++;
  return at;
}

function quoteAt(text: string, at: number): number {
  while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return Math.min(at, text.length);
}

/** Only the three escapes are escapes; before anything else the backslash is a backslash (RFC 5424 6.3.3). */
function unescape(value: string): string {
  return value.includes("\\") ? value.replace(/\\(["\\\]])/g, "$1") : value;
}
