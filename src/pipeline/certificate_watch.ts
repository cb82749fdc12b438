/**
 * Keeps a TLS listener's certificates up to date: looks at their files, checks what has changed, and swaps it in for
 * new handshakes. What cannot be used is told and changes nothing; open connections stay as they are.
 *
 * Files are looked at by their state (stat), which follows links, so that secrets that are swapped by a link are seen
 * too. A change counts when it has stood still for a look: certificate and key are seldom written at once.
 *
 * @module
 */
import { messageOf } from "../core/errors.ts";
import type { TlsListener } from "../io/tls.ts";
import { loadTlsMaterial, type TlsFiles, tlsFilesVersion, type TlsMaterial } from "../io/tls_material.ts";
import type { WorkerLog } from "./protocol.ts";

/** A look costs a stat(2) per file. */
const lookMs = 2_000;
/** Timers are late by some milliseconds: a look that is nearly due is not left to the next tick, which may be a second away. */
const earlyMs = 100;
/** A certificate that ends within this time is named, once a day. */
const endsSoonMs = 30 * 86_400_000;
const dayMs = 86_400_000;

/** What a watch needs. */
export interface CertificateWatchParts {
  readonly name: string;
  readonly files: TlsFiles;
  readonly listener: TlsListener;
  /** What is in force, and the state of its files before it was read. */
  readonly material: TlsMaterial;
  readonly version: string;
  /** Undefined where another worker tells of it. */
  readonly log: WorkerLog | undefined;
}

/** The first end of the certificates, epoch milliseconds. */
export function firstEndOf(material: TlsMaterial): number {
  return Math.min(material.endsAtMs, ...material.more.map(({ endsAtMs }) => endsAtMs));
}

/** Watches the certificates of one listener. */
export class CertificateWatch {
  readonly #parts: CertificateWatchParts;
  #version: string;
  /** Seen at the last look, and not yet loaded. */
  #changed: string | undefined;
  #lookedAtMs = -Infinity;
  #toldAtMs = -Infinity;
  #looking = false;
  #material: TlsMaterial;

  constructor(parts: CertificateWatchParts) {
    this.#parts = parts;
    this.#material = parts.material;
    this.#version = parts.version;
  }

  /** When the first certificate ends, epoch milliseconds. */
  get endsAtMs(): number {
    return firstEndOf(this.#material);
  }

  /** Called a few times a second; `nowMs` on the monotonic clock, `epochMs` on the wall. */
  tick(nowMs: number, epochMs: number): void {
    this.#tellEnd(epochMs);
    if (this.#looking || nowMs - this.#lookedAtMs < lookMs - earlyMs) return;
    this.#lookedAtMs = nowMs;
    this.#looking = true;
    void this.look().finally(() => this.#looking = false);
  }

  /** One look at the files; loads them where they have changed and stand still. */
  async look(): Promise<void> {
    const { files, listener, name, log } = this.#parts;
    const version = await tlsFilesVersion(files);
    if (version === this.#version) {
      this.#changed = undefined;
      return;
    }
    if (version !== this.#changed) {
      this.#changed = version;
      return;
    }
    this.#version = version;
    try {
      const material = await loadTlsMaterial(files);
      listener.reload(material);
      this.#material = material;
      this.#toldAtMs = -Infinity;
      log?.("certificate_reloaded", { listener: name, ends_at: new Date(this.endsAtMs).toISOString() });
    } catch (error) {
      log?.("certificate_refused", {
        listener: name,
        problem: `${messageOf(error)}; the former certificate stays in force`,
      });
    }
  }

  #tellEnd(epochMs: number): void {
    const { log, name } = this.#parts;
    if (epochMs - this.#toldAtMs < dayMs) return;
    this.#toldAtMs = epochMs;
    const ends_at = new Date(this.endsAtMs).toISOString();
    const days = Math.floor((this.endsAtMs - epochMs) / dayMs);
    if (this.endsAtMs - epochMs < endsSoonMs) {
      const problem = days < 0
        ? "a certificate has ended; senders refuse it"
        : `a certificate ends in ${days} days`;
      log?.("certificate_ends", { listener: name, ends_at, problem });
    }
    const { revocations } = this.#material;
    if (revocations?.nextUpdateMs !== undefined && revocations.nextUpdateMs < epochMs) {
      const next_update = new Date(revocations.nextUpdateMs).toISOString();
      const problem = "the revocation list should have been replaced; it is used all the same";
      log?.("revocations_old", { listener: name, next_update, problem });
    }
  }
}
