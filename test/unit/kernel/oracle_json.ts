/**
 * What a JSON text says, read slowly. The runtime's parser judges whether it is JSON and decodes single strings and
 * numbers; it is not asked for objects, because V8 up to at least 15.0 may give an escaped key another name once it
 * has seen a key with a backslash (nodejs/node issue 63785).
 *
 * @module
 */

/** The value of a JSON text; objects without a prototype. undefined for what is no JSON. */
export function parseJsonOracle(text: string): unknown {
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\t\n\r ,:{}[\]"]+/g)!;
  let at = 0;
  const read = (): unknown => {
    const token = tokens[at++];
    if (token === "[") {
      const list: unknown[] = [];
      while (tokens[at] !== "]") {
        list.push(read());
        if (tokens[at] === ",") at++;
      }
      at++;
      return list;
    }
    if (token !== "{") return JSON.parse(token);
    const object: Record<string, unknown> = Object.create(null);
    while (tokens[at] !== "}") {
      const key = JSON.parse(tokens[at]) as string;
      at += 2;
      object[key] = read();
      if (tokens[at] === ",") at++;
    }
    at++;
    return object;
  };
  return read();
}
