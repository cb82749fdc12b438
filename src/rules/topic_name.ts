/**
 * Which topics are legal, and which of them a log line may choose.
 *
 * A topic that comes from a log line comes from whoever can write to the log: it must pass Kafka's naming rules and
 * the patterns of `kafka.topics.allow`, else it would create or flood topics that are none of its business.
 *
 * @module
 */

/** Kafka: `Topic.MAX_NAME_LENGTH`. Longer names break the file names of its log segments. */
export const topicCharsMax = 249;

/** Why Kafka would not take `name` as a topic, or undefined if it would (org.apache.kafka.common.internals.Topic). */
export function topicNameFault(name: string): string | undefined {
  if (name.length === 0) return "the topic is empty";
  if (name.length > topicCharsMax) {
    return `the topic has ${name.length} characters, at most ${topicCharsMax} are legal`;
  }
  if (name === "." || name === "..") return `the topic "${name}" is reserved`;
  for (let i = 0; i < name.length; i++) {
    if (!isTopicChar(name.charCodeAt(i))) {
      return `the topic ${JSON.stringify(name)} has an illegal character at ${
        i + 1
      }, legal are a-z A-Z 0-9 . _ -`;
    }
  }
  return undefined;
}

function isTopicChar(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a) || (code >= 0x30 && code <= 0x39) ||
    code === 0x2e || code === 0x5f || code === 0x2d;
}

/** Why `pattern` cannot allow any topic, or undefined if it can. `*` stands for any run of characters. */
export function topicPatternFault(pattern: string): string | undefined {
  if (pattern.length === 0) return "the pattern is empty";
  const rest = pattern.replaceAll("*", "");
  if (rest.length > topicCharsMax) {
    return `the pattern is longer than a topic may be, ${topicCharsMax} characters`;
  }
  for (let i = 0; i < pattern.length; i++) {
    if (pattern[i] !== "*" && !isTopicChar(pattern.charCodeAt(i))) {
      return `the pattern ${JSON.stringify(pattern)} has a character at ${i + 1} that no topic has`;
    }
  }
  return undefined;
}

/**
 * Compiles allow patterns to one check. `*` matches any run of characters, the rest is literal; an empty list allows
 * nothing. The check is linear in the topic's length per pattern.
 *
 * @example
 * ```ts
 * const allowed = compileTopicAllow(["logs-*", "audit"]);
 * allowed("logs-web"); // true
 * ```
 */
export function compileTopicAllow(patterns: readonly string[]): (topic: string) => boolean {
  if (patterns.includes("*")) return () => true;
  const exact = new Set(patterns.filter((pattern) => !pattern.includes("*")));
  const globs = patterns.filter((pattern) => pattern.includes("*")).map((pattern) => pattern.split("*"));
  return (topic) => exact.has(topic) || globs.some((pieces) => matchesPieces(topic, pieces));
}

/** First piece at the start, last at the end, the others leftmost in between: leftmost is enough for `*`. */
function matchesPieces(topic: string, pieces: readonly string[]): boolean {
  const first = pieces[0];
  const last = pieces[pieces.length - 1];
  if (topic.length < first.length + last.length || !topic.startsWith(first) || !topic.endsWith(last)) {
    return false;
  }
  let at = first.length;
  const end = topic.length - last.length;
  for (let i = 1; i < pieces.length - 1; i++) {
    const found = topic.indexOf(pieces[i], at);
    if (found < 0 || found + pieces[i].length > end) return false;
    at = found + pieces[i].length;
  }
  return true;
}
