/**
 * HTTP servers for tokens and credentials, and certificates for them.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A request as it came. */
export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** What to answer; undefined never answers. */
export type Answerer = (asked: Asked) => { readonly status?: number; readonly body: string } | undefined;

/** A server on a port of its own, with what it was asked. */
export class HttpBench implements AsyncDisposable {
  readonly asked: readonly Asked[];
  readonly url: string;
  readonly #server: ReturnType<typeof createServer>;

  private constructor(server: ReturnType<typeof createServer>, scheme: string, asked: readonly Asked[]) {
    this.#server = server;
    this.asked = asked;
    this.url = `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** Starts it, with TLS where there are certificates. */
  static async start(answer: Answerer, tls?: { cert: string; key: string }): Promise<HttpBench> {
    const asked: Asked[] = [];
    const take = async (request: IncomingMessage, response: ServerReply): Promise<void> => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const one = {
        method: request.method!,
        url: request.url!,
        headers: request.headers,
        body: Buffer.concat(chunks).toString(),
      };
      asked.push(one);
      const reply = answer(one);
      if (reply === undefined) return;
      response.writeHead(reply.status ?? 200, { "content-type": "application/json" });
      response.end(reply.body);
    };
    const server = (tls === undefined ? createServer(take) : createTlsServer(tls, take)) as ReturnType<
      typeof createServer
    >;
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new HttpBench(server, tls === undefined ? "http" : "https", asked);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }
}

interface ServerReply {
  writeHead(status: number, headers: Record<string, string>): void;
  end(body: string): void;
}

/** A directory that goes away with it, and certificates made by openssl. */
export class CertificateBench implements Disposable {
  readonly dir = mkdtempSync(join(tmpdir(), "corndog-login-"));

  at(name: string): string {
    return join(this.dir, name);
  }

  write(name: string, text: string): string {
    writeFileSync(this.at(name), text);
    return this.at(name);
  }

  /** An authority of its own: `NAME.crt`, `NAME.key`. */
  authority(name: string): void {
    this.#openssl(
      "req",
      "-x509",
      ...newKey,
      "-days",
      "30",
      "-subj",
      `/CN=${name}`,
      ...this.#out(name, "crt"),
    );
  }

  /** A certificate signed by `authority`: `NAME.crt`, `NAME.key`. */
  certificate(name: string, authority: string, names: string, days = "30"): void {
    this.write(`${name}.ext`, `subjectAltName=${names}\n`);
    this.#openssl("req", ...newKey, "-subj", `/CN=${name}`, ...this.#out(name, "csr"));
    this.#openssl(
      ...["x509", "-req", "-days", days, "-in", this.at(`${name}.csr`), "-CA", this.at(`${authority}.crt`)],
      ...["-CAkey", this.at(`${authority}.key`), "-CAcreateserial", "-extfile", this.at(`${name}.ext`)],
      ...["-out", this.at(`${name}.crt`)],
    );
  }

  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true, force: true });
  }

  #out(name: string, extension: string): string[] {
    return ["-keyout", this.at(`${name}.key`), "-out", this.at(`${name}.${extension}`)];
  }

  #openssl(...args: string[]): void {
    execFileSync("openssl", args, { stdio: "pipe" });
  }
}

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
