/**
 * Serves the admin app over a fake control plane on a free port of 127.0.0.1, for the browser.
 *
 * @module
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { createAdminApp } from "../../src/admin/app.ts";
import { createLogger } from "../../src/observe/log.ts";
import { FakeControl } from "../unit/admin/fake_control.ts";

/** A running app. */
export interface FakeAdmin {
  readonly control: FakeControl;
  readonly url: string;
  /** Ends it as a crash would: open connections too. */
  stop(): Promise<void>;
}

/** Starts it; `port` 0 is a free one. */
export async function serveFake(control: FakeControl, port = 0, tokenFile?: string): Promise<FakeAdmin> {
  const log = createLogger({ format: "json", level: "error", colors: false, write: () => {}, now: Date.now });
  const app = createAdminApp({ control, tokenFile, address: "127.0.0.1", version: "0.1.0", log });
  const server = createServer(async (request, response) => {
    const init = { method: request.method, headers: request.headers as Record<string, string> };
    const answer = await app.fetch(new Request(`http://${request.headers.host}${request.url}`, init));
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    if (answer.body === null) response.end();
    else Readable.fromWeb(answer.body as Parameters<typeof Readable.fromWeb>[0]).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    control,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    stop: () => stop(server),
  };
}

async function stop(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}
