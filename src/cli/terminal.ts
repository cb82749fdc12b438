/**
 * A terminal that is drawn on as a whole: alternate screen, one write per frame, keys as they are pressed. What it
 * changed is put back however it ends.
 *
 * @module
 */
import process from "node:process";

/** What a full-screen command needs. */
export interface Screen {
  readonly width: number;
  readonly height: number;
  /** Replaces what is shown; lines must fit. */
  draw(lines: readonly string[]): void;
  /** Puts the terminal back. */
  close(): void;
}

/** What happens at the terminal. */
export interface ScreenEvents {
  /** A key was pressed; `\x03` is Ctrl-C. */
  key(key: string): void;
  resized(): void;
}

const enter = "\x1b[?1049h\x1b[?25l";
const leave = "\x1b[?25h\x1b[?1049l";

/** Opens the screen of this process; undefined where input or output is no terminal. */
export function openScreen(events: ScreenEvents): Screen | undefined {
  const { stdin, stdout } = process;
  if (!stdin.isTTY || !stdout.isTTY) return undefined;
  const onData = (data: string) => events.key(data);
  const onResize = () => events.resized();
  const restore = () => void stdout.write(leave);
  stdin.setRawMode(true);
  stdin.setEncoding("utf8");
  stdin.on("data", onData);
  stdin.resume();
  stdout.on("resize", onResize);
  process.once("exit", restore);
  stdout.write(enter);
  return {
    // A terminal that nobody has sized says 0.
    get width() {
      return stdout.columns || 80;
    },
    get height() {
      return stdout.rows || 24;
    },
    draw(lines) {
      // Each line is cleared behind its end, and the rest of the screen below: nothing flickers.
      stdout.write(`\x1b[H${lines.map((line) => `${line}\x1b[K`).join("\r\n")}\x1b[J`);
    },
    close() {
      stdin.off("data", onData);
      stdin.setRawMode(false);
      stdin.pause();
      stdout.off("resize", onResize);
      process.off("exit", restore);
      restore();
    },
  };
}
