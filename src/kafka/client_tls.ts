/**
 * Certificates for connections to brokers: read from their files, checked, and looked at again, so that new ones need
 * no restart. New connections use what was checked last; open ones stay as they are.
 *
 * A pair that does not fit (a certificate was written and its key not yet) or has ended is refused and named in the
 * log, and the former one stays in use. Only where there is no former one it is an error.
 *
 * @module
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { KafkaConfig } from "../config/config.ts";
import { ForwarderError, messageOf } from "../core/errors.ts";
import type { CancelTimer, KafkaClock } from "./clock.ts";
import type { KafkaLog } from "./problem_log.ts";

/** How often the files are looked at while no connection asks. */
export const certificateLookMs = 10_000;

type TlsConfig = NonNullable<KafkaConfig["tls"]>;

/** Options for `tls.connect`. */
export type TlsOptions = Readonly<Record<string, unknown>>;

interface Material {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

/** The certificates of one worker. */
export class ClientTls {
  readonly #config: TlsConfig;
  readonly #clock: KafkaClock;
  readonly #log: KafkaLog | undefined;
  #material: Material | undefined;
  /** What was refused last; said once. */
  #refused = "";
  #cancelLook: CancelTimer | undefined;
  #isClosed = false;

  constructor(config: TlsConfig, clock: KafkaClock, log: KafkaLog | undefined) {
    this.#config = config;
    this.#clock = clock;
    this.#log = log;
  }

  /** What a new connection uses. @throws ForwarderError `certificate_unusable` where nothing usable was ever there */
  async options(): Promise<TlsOptions> {
    const { ca, cert, key } = await this.#look();
    this.#lookLater();
    return {
      rejectUnauthorized: this.#config.verify,
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    };
  }

  /** Looks no more. */
  close(): void {
    this.#isClosed = true;
    this.#cancelLook?.();
  }

  async #look(): Promise<Material> {
    const former = this.#material;
    try {
      const { caFile, certFile, keyFile } = this.#config;
      const [ca, cert, key] = await Promise.all([caFile, certFile, keyFile].map(read));
      if (former !== undefined && former.ca === ca && former.cert === cert && former.key === key) {
        this.#refused = "";
        return former;
      }
      const material = { ca, cert, key };
      check(material, this.#config);
      this.#material = material;
      this.#refused = "";
      if (former !== undefined) this.#log?.("kafka_certificate_changed", { files: this.#files });
      return material;
    } catch (cause) {
      if (former === undefined || !(cause instanceof ForwarderError)) throw cause;
      if (cause.message !== this.#refused) {
        this.#log?.("kafka_certificate_refused", {
          message: cause.message,
          consequence: "the former certificates stay in use",
        });
      }
      this.#refused = cause.message;
      return former;
    }
  }

  get #files(): string[] {
    const { caFile, certFile, keyFile } = this.#config;
    return [caFile, certFile, keyFile].filter((file) => file !== undefined);
  }

  /** So that a wrong file is named when it is written, not when a connection breaks weeks later. */
  #lookLater(): void {
    if (this.#cancelLook !== undefined || this.#isClosed || this.#files.length === 0) return;
    this.#cancelLook = this.#clock.after(certificateLookMs, () => {
      this.#cancelLook = undefined;
      void this.#look().then(() => this.#lookLater());
    });
  }
}

async function read(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new ForwarderError(
      "certificate_unusable",
      `Cannot read certificate "${path}": ${messageOf(cause)}`,
      { cause },
    );
  }
}

/** Throws unless the key is the certificate's, neither has ended, and the CA is a certificate. */
function check({ ca, cert, key }: Material, { caFile, certFile, keyFile }: TlsConfig): void {
  if (ca !== undefined) parse(caFile!, "certificate", () => new X509Certificate(ca));
  if (cert === undefined || key === undefined) return;
  const certificate = parse(certFile!, "certificate", () => new X509Certificate(cert));
  const privateKey = parse(keyFile!, "private key", () => createPrivateKey(key));
  if (!certificate.checkPrivateKey(privateKey)) {
    throw unusable(certFile!, `key "${keyFile!}" belongs to another certificate`);
  }
  if (Date.parse(certificate.validTo) < Date.now()) {
    throw unusable(certFile!, `it ended on ${certificate.validTo}`);
  }
}

function parse<Parsed>(file: string, what: string, make: () => Parsed): Parsed {
  try {
    return make();
  } catch (cause) {
    // Not the cause's own words: they may hold a piece of a key.
    throw unusable(file, `there is no PEM ${what} in it`, cause);
  }
}

function unusable(file: string, reason: string, cause?: unknown): ForwarderError {
  return new ForwarderError("certificate_unusable", `Cannot use certificate "${file}": ${reason}`, { cause });
}
