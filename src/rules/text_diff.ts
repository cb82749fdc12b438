/**
 * Two texts side by side, line by line: ` ` is in both, `-` was wanted, `+` came.
 *
 * @module
 */

/** Longer texts are compared only up to their first difference. */
export const diffLinesMax = 400;
/** Equal lines that are shown around a difference. */
const contextLines = 2;
/** Longer lines are cut, around where they differ. */
const shownCharsMax = 160;

/** One line of a difference. */
export interface DiffLine {
  readonly mark: " " | "-" | "+";
  readonly text: string;
}

/** What must change in `wanted` to make it `came`, with a few equal lines around; empty where they are equal. */
export function diffText(wanted: string, came: string): DiffLine[] {
  if (wanted === came) return [];
  const before = wanted.split("\n");
  const after = came.split("\n");
  const lines = before.length > diffLinesMax || after.length > diffLinesMax
    ? firstDifference(before, after)
    : shortened(editsOf(before, after));
  return cutPairs(lines);
}

/** Whitespace at a line's end and what has no shape is made visible: two lines that differ must look different. */
function visible(text: string): string {
  const shown = text.replaceAll(
    // deno-lint-ignore no-control-regex
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\ufeff\u200b]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return shown.replace(/[ \t]+$/, (spaces) => spaces.replaceAll(" ", "·").replaceAll("\t", "→"));
}

/** Shortest edit by the longest common subsequence; both are at most `diffLinesMax` long. */
function editsOf(before: readonly string[], after: readonly string[]): DiffLine[] {
  const width = after.length + 1;
  const common = new Uint16Array((before.length + 1) * width);
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      common[i * width + j] = before[i] === after[j]
        ? common[(i + 1) * width + j + 1] + 1
        : Math.max(common[(i + 1) * width + j], common[i * width + j + 1]);
    }
  }
  const lines: DiffLine[] = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      lines.push({ mark: " ", text: before[i++] });
      j++;
    } else if (
      j >= after.length || (i < before.length && common[(i + 1) * width + j] >= common[i * width + j + 1])
    ) {
      lines.push({ mark: "-", text: before[i++] });
    } else lines.push({ mark: "+", text: after[j++] });
  }
  return lines;
}

function firstDifference(before: readonly string[], after: readonly string[]): DiffLine[] {
  let at = 0;
  while (at < before.length && at < after.length && before[at] === after[at]) at++;
  const lines: DiffLine[] = before.slice(Math.max(0, at - contextLines), at).map((text) => ({
    mark: " ",
    text,
  }));
  if (at < before.length) lines.push({ mark: "-", text: before[at] });
  if (at < after.length) lines.push({ mark: "+", text: after[at] });
  return [...lines, { mark: " ", text: `… (${before.length} lines against ${after.length})` }];
}

/** Leaves out equal lines far from any difference. */
function shortened(lines: readonly DiffLine[]): DiffLine[] {
  const near = lines.map((_, at) =>
    lines.slice(Math.max(0, at - contextLines), at + contextLines + 1).some(({ mark }) => mark !== " ")
  );
  return lines.flatMap((line, at): DiffLine[] => {
    if (near[at]) return [line];
    return near[at - 1] ?? at === 0 ? [{ mark: " ", text: "…" }] : [];
  });
}

/** A changed line is cut around the place where it differs from what stands opposite. */
function cutPairs(lines: readonly DiffLine[]): DiffLine[] {
  return lines.map(({ mark, text }, at) => {
    const other = mark === "-" ? lines[at + 1] : mark === "+" ? lines[at - 1] : undefined;
    const isPair = other !== undefined && other.mark !== " " && other.mark !== mark;
    return { mark, text: cut(visible(text), isPair ? sameUntil(visible(text), visible(other.text)) : 0) };
  });
}

function sameUntil(a: string, b: string): number {
  let at = 0;
  while (at < a.length && at < b.length && a[at] === b[at]) at++;
  return at;
}

function cut(text: string, differsAt: number): string {
  if (text.length <= shownCharsMax) return text;
  const start = Math.max(0, Math.min(differsAt - shownCharsMax / 4, text.length - shownCharsMax));
  const end = start + shownCharsMax;
  return `${start > 0 ? "…" : ""}${text.slice(start, end)}${end < text.length ? "…" : ""}`;
}
