/**
 * Tells when descriptors can be read that the runtime does not know: poll(2) off the event loop, one call for all
 * descriptors of a thread. On Deno the call itself runs on the runtime's pool. Bun has no such calls, so a small thread
 * of its own does it there; it is started with the first descriptor and costs about 5 MB.
 *
 *     armed ──readable──> told (once) ──arm()──> armed
 *
 * @module
 */
import { type Libc, openLibc } from "./libc.ts";

/** Descriptors of one thread at most. */
export const watchesMax = 1024;

const POLLIN = 1;
/** struct pollfd: int fd, short events, short revents. */
const entryBytes = 8;

/** One descriptor that is watched. */
export interface Watch {
  /** Tells of it once more, at once if it can be read already. */
  arm(): void;
  /** It is never told of again. The descriptor may be closed when this resolves. */
  end(): Promise<void>;
}

interface Watched {
  readonly fd: number;
  readonly readable: () => void;
  armed: boolean;
}

/** What runs poll(2): resolves with its result. */
type Poll = (count: number) => Promise<number>;

/** Watches the descriptors of one thread. */
export class Readiness {
  readonly #libc: Libc;
  readonly #wakeFd: number;
  readonly #entries: Uint8Array;
  readonly #view: DataView;
  readonly #poll: Poll;
  readonly #watched = new Set<Watched>();
  #polling: Promise<void> | undefined;

  private constructor(libc: Libc) {
    this.#libc = libc;
    this.#wakeFd = libc.eventFd();
    const memory = new SharedArrayBuffer((watchesMax + 1) * entryBytes);
    this.#entries = new Uint8Array(memory);
    this.#view = new DataView(memory);
    this.#poll = libc.poll === undefined
      ? pollInThread(libc.name, memory)
      : (count) => libc.poll!(this.#entries, count);
  }

  /** Watches `fd`, armed. `readable` is called from the event loop; undefined where there are too many. */
  watch(fd: number, readable: () => void): Watch | undefined {
    if (this.#watched.size >= watchesMax) return undefined;
    const watched: Watched = { fd, readable, armed: true };
    this.#watched.add(watched);
    this.#goOn();
    return {
      arm: () => {
        if (watched.armed) return;
        watched.armed = true;
        this.#goOn();
      },
      end: async () => {
        watched.armed = false;
        this.#watched.delete(watched);
        // The call under way may have the descriptor in its list.
        this.#libc.signal(this.#wakeFd);
        await this.#polling;
      },
    };
  }

  /** Sees that a call with all that is armed is under way. */
  #goOn(): void {
    if (this.#polling !== undefined) return this.#libc.signal(this.#wakeFd);
    this.#polling = this.#pollAll().finally(() => {
      this.#polling = undefined;
      if ([...this.#watched].some(({ armed }) => armed)) this.#goOn();
    });
  }

  /** One call. */
  async #pollAll(): Promise<void> {
    const list = [...this.#watched].filter(({ armed }) => armed);
    this.#entry(0, this.#wakeFd);
    list.forEach(({ fd }, index) => this.#entry(index + 1, fd));
    const result = await this.#poll(list.length + 1);
    if (this.#view.getInt16(6, true) !== 0) this.#libc.drain(this.#wakeFd);
    if (result <= 0) return;
    list.forEach((watched, index) => {
      const events = this.#view.getInt16((index + 1) * entryBytes + 6, true);
      if (events === 0 || !watched.armed) return;
      watched.armed = false;
      watched.readable();
    });
  }

  #entry(index: number, fd: number): void {
    this.#view.setInt32(index * entryBytes, fd, true);
    this.#view.setInt16(index * entryBytes + 4, POLLIN, true);
    this.#view.setInt16(index * entryBytes + 6, 0, true);
  }

  static #ofThread: Promise<Readiness | undefined> | undefined;

  /** The one of this thread; undefined where there is no FFI. */
  static ofThread(): Promise<Readiness | undefined> {
    Readiness.#ofThread ??= openLibc().then((libc) => libc && new Readiness(libc));
    return Readiness.#ofThread;
  }
}

/**
 * The thread's program, as text: a compiled binary has no file for it. Word 0 says how many entries to poll (0: wait),
 * and the answer is a message.
 */
const program = `
import { dlopen } from "bun:ffi";
self.onmessage = ({ data: { name, entries, control } }) => {
  const { symbols } = dlopen(name, { poll: { args: ["ptr", "u64", "i32"], returns: "i32" } });
  const words = new Int32Array(control);
  const memory = new Uint8Array(entries);
  for (;;) {
    Atomics.wait(words, 0, 0);
    const count = Atomics.load(words, 0);
    const result = symbols.poll(memory, count, -1);
    Atomics.store(words, 0, 0);
    postMessage(result);
  }
};
`;

/** A worker of Bun. */
interface PollThread {
  onmessage: (event: { data: number }) => void;
  postMessage(message: unknown): void;
  unref(): void;
}

function pollInThread(name: string, entries: SharedArrayBuffer): Poll {
  const control = new SharedArrayBuffer(4);
  const words = new Int32Array(control);
  const url = URL.createObjectURL(new Blob([program], { type: "application/javascript" }));
  const thread = new (globalThis as unknown as { Worker: new (url: string) => PollThread }).Worker(url);
  // It ends with the process.
  thread.unref();
  thread.postMessage({ name, entries, control });
  let done: (result: number) => void = () => {};
  thread.onmessage = ({ data }) => done(data);
  return (count) =>
    new Promise((resolve) => {
      done = resolve;
      Atomics.store(words, 0, count);
      Atomics.notify(words, 0);
    });
}
