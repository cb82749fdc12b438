/**
 * Keeps a token that ends: gets it when somebody first asks, renews it in the background before its end, and goes on
 * with the one it has while a renewal fails.
 *
 *     0 %                          75 %         90 %       100 % of its life
 *     | token is given out         | renewed    | not given out any more
 *
 * A broker that limits sessions (KIP-368) ends them with the token: connections authenticate again at 85 to 95 % of
 * it, and find the new token here without waiting.
 *
 * @module
 */
import { ForwarderError } from "../../core/errors.ts";
import type { CancelTimer, KafkaClock } from "../clock.ts";

/** A token; its end is on the monotonic clock. */
export interface Token {
  readonly value: string;
  readonly endsAtMs: number;
}

/** Part of a token's life after which it is renewed; a little chance on top spreads many workers. */
const renewShare = 0.7;
const renewSpread = 0.1;
/** Part of its life after which it is too near its end to log in with, but for want of a better one. */
const usableShare = 0.9;
/** Wait after a renewal that failed; less where the token ends sooner. */
const retryMsMax = 30_000;
const retryMsMin = 500;
/** After this many lives without anybody asking nothing is renewed. */
const idleLives = 2;
/** Longest time that a timer is set for (32 bits of milliseconds). */
const timerMsMax = 2_000_000_000;

/** What a keeper works with. */
export interface TokenKeeperOptions {
  /** Gets a new token. Rejects with a `ForwarderError`. */
  fetch(): Promise<Token>;
  readonly clock: KafkaClock;
  /** A renewal failed while the token in hand is still good. */
  failed?(cause: ForwarderError): void;
}

/** One token, kept alive while it is used. */
export class TokenKeeper {
  readonly #options: TokenKeeperOptions;
  #token: Token | undefined;
  #usableUntilMs = -Infinity;
  #lifeMs = 0;
  #fetching: Promise<Token> | undefined;
  #cancelRenewal: CancelTimer | undefined;
  #askedAtMs = -Infinity;
  #isClosed = false;

  constructor(options: TokenKeeperOptions) {
    this.#options = options;
  }

  /** A token that is good now. Rejects with what `fetch` rejects with. */
  async token(): Promise<string> {
    const nowMs = this.#askedAtMs = this.#options.clock.nowMs();
    const had = this.#token;
    if (had !== undefined && nowMs < this.#usableUntilMs) return had.value;
    try {
      return (await this.#fetch()).value;
    } catch (cause) {
      // Its last tenth is better than nothing.
      if (had !== undefined && this.#options.clock.nowMs() < had.endsAtMs) return had.value;
      throw cause;
    }
  }

  /** The broker refused the token: the next who asks gets another one. */
  refuse(value: string): void {
    if (this.#token?.value !== value) return;
    this.#token = undefined;
    this.#cancelRenewal?.();
  }

  /** Renews no more. */
  close(): void {
    this.#isClosed = true;
    this.#cancelRenewal?.();
  }

  /** One request at a time, whoever asks. */
  #fetch(): Promise<Token> {
    return this.#fetching ??= this.#options.fetch().then((token) => {
      this.#keep(token);
      return token;
    }).finally(() => this.#fetching = undefined);
  }

  #keep(token: Token): void {
    const { clock } = this.#options;
    const lifeMs = Math.max(0, token.endsAtMs - clock.nowMs());
    this.#token = token;
    this.#lifeMs = lifeMs;
    this.#usableUntilMs = clock.nowMs() + lifeMs * usableShare;
    this.#renewIn(lifeMs * (renewShare + clock.random() * renewSpread));
  }

  #renewIn(delayMs: number): void {
    this.#cancelRenewal?.();
    if (this.#isClosed || !(delayMs < timerMsMax)) return;
    this.#cancelRenewal = this.#options.clock.after(Math.max(retryMsMin, delayMs), () => this.#renew());
  }

  #renew(): void {
    const { clock, failed } = this.#options;
    if (this.#isClosed || clock.nowMs() - this.#askedAtMs > idleLives * this.#lifeMs) return;
    this.#fetch().catch((cause: unknown) => {
      if (!(cause instanceof ForwarderError)) throw cause;
      failed?.(cause);
      const leftMs = (this.#token?.endsAtMs ?? 0) - clock.nowMs();
      if (leftMs > 0) this.#renewIn(Math.min(retryMsMax, leftMs / 4));
    });
  }
}
