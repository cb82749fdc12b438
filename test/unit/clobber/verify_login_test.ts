/**
 * Logins at brokers for `--verify`: the messages, what is said when a broker refuses, and that no secret is in it.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { after, describe, it } from "node:test";
import { type Credentials, type KafkaAccess, openAccess } from "../../../src/clobber/verify/access.ts";
import { KafkaLink } from "../../../src/clobber/verify/kafka_link.ts";
import { metadataRequest, RequestWriter, ResponseReader } from "../../../src/clobber/verify/kafka_wire.ts";
import { scram, ScramError } from "../../../src/clobber/verify/scram.ts";

/** The example of RFC 7677, 3. */
const nonce = "rOprNGfwEbeRWgbNEkqO";
const challenge = `r=${nonce}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`;
const verifier = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

describe("scram()", () => {
  /** Logs in at somebody who answers so; gives what was said. */
  async function said(answers: readonly string[], user = "user"): Promise<string[]> {
    const messages: string[] = [];
    await scram("sha256", user, "pencil", (message) => {
      messages.push(message.toString());
      return Promise.resolve(Buffer.from(answers[messages.length - 1]!));
    }, nonce);
    return messages;
  }

  it("says what RFC 7677 says", async () => {
    assert.deepEqual(await said([challenge, verifier]), [
      `n,,n=user,r=${nonce}`,
      `c=biws,r=${nonce}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`,
    ]);
  });

  it("refuses a broker that does not know the password, or makes no sense", async () => {
    const wrong = (answers: readonly string[], message: RegExp): Promise<void> =>
      assert.rejects(said(answers), (error) => {
        assert.ok(error instanceof ScramError);
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /pencil/);
        return true;
      });
    await wrong([challenge, verifier.replace("6rri", "7rri")], /does not know the password/);
    await wrong([challenge, "v="], /does not know the password/);
    await wrong([challenge, "e=invalid-proof"], /refuses the login: invalid-proof/);
    await wrong([challenge.replace(nonce, "another")], /does not belong to this login/);
    await wrong([challenge.replace("i=4096", "i=2000000000")], /2000000000 iterations/);
    await wrong([challenge.replace("i=4096", "i=1")], /1 iterations/);
    await wrong([""], /does not belong/);
  });

  it("escapes what would end a name early", async () => {
    await assert.rejects(said([""], "a=b,c"));
    const messages: string[] = [];
    await assert.rejects(scram("sha512", "a=b,c", "x", (message) => {
      messages.push(message.toString());
      return Promise.resolve(Buffer.alloc(0));
    }, nonce));
    assert.deepEqual(messages, [`n,,n=a=3Db=2Cc,r=${nonce}`]);
  });
});

const servers: Server[] = [];
after(() => servers.forEach((server) => server.close()));

/** A broker that hands each request (api key, body) to `answer`; undefined ends the connection, bytes go out as they are. */
async function broker(
  answer: (api: number, body: ResponseReader) => RequestWriter | Buffer | undefined,
): Promise<number> {
  const server = createServer((socket: Socket) => {
    let bytes = Buffer.alloc(0);
    socket.on("error", () => {}).on("data", (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      // A broker takes the start of a handshake for a request that is too large.
      if (bytes[0] === 0x16) return void socket.destroy();
      while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
        const request = bytes.subarray(4, 4 + bytes.readInt32BE(0));
        bytes = bytes.subarray(4 + request.length);
        const reader = new ResponseReader(request);
        const api = reader.int16();
        reader.int16();
        const correlation = reader.int32();
        reader.string();
        const given = answer(api, reader);
        if (given === undefined) socket.destroy();
        else if (Buffer.isBuffer(given)) socket.write(given);
        else socket.write(framed(given, correlation));
      }
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

/** A response with the body that a request's writer holds. */
function framed(body: RequestWriter, correlation: number): Buffer {
  const request = body.frame(3, correlation);
  const rest = request.subarray(4 + 2 + 2 + 4 + 2 + "corndog-clobber".length);
  const head = Buffer.alloc(8);
  head.writeInt32BE(4 + rest.length);
  head.writeInt32BE(correlation, 4);
  return Buffer.concat([head, rest]);
}

const withLogin = (credentials: Credentials): KafkaAccess => ({
  ...openAccess,
  hasLogin: true,
  credentials: () => Promise.resolve(credentials),
});
const plain: Credentials = { mechanism: "plain", username: "edge", password: "pencil" };

/** Connects and asks for metadata; the message of what went wrong. */
async function problem(port: number, access: KafkaAccess): Promise<string> {
  let message = "";
  try {
    const link = await KafkaLink.open("127.0.0.1", port, access, 20_000);
    await link.ask(metadataRequest, 20_000);
    link.close();
  } catch (error) {
    message = (error as Error).message;
  }
  assert.doesNotMatch(message, /pencil/);
  return message;
}

describe("KafkaLink.open()", () => {
  it("logs in before anything else is asked", async () => {
    const asked: (number | string)[] = [];
    const port = await broker((api, body) => {
      if (api === 17) asked.push(body.string());
      else if (api === 36) asked.push(body.bytes().toString());
      else asked.push(api);
      const answers: Record<number, RequestWriter> = {
        17: new RequestWriter().int16(0).int32(0),
        36: new RequestWriter().int16(0).int16(-1).bytes(Buffer.alloc(0)),
      };
      return answers[api] ?? new RequestWriter().int32(0).int32(0).int32(0);
    });
    assert.equal(await problem(port, withLogin(plain)), "");
    assert.deepEqual(asked, ["PLAIN", "\0edge\0pencil", 3]);
  });

  it("has a login of tokens say its own messages", async () => {
    const port = await broker((api, body) =>
      api === 17
        ? new RequestWriter().int16(0).int32(0)
        : api === 36
        ? new RequestWriter().int16(0).int16(-1).bytes(Buffer.from(`heard ${body.bytes()}`))
        : new RequestWriter().int32(0).int32(0).int32(0)
    );
    let answer = "";
    const credentials: Credentials = {
      mechanism: "oauthbearer",
      authenticate: async (_host, _port, say) => void (answer = (await say(Buffer.from("token"))).toString()),
    };
    assert.equal(await problem(port, withLogin(credentials)), "");
    assert.equal(answer, "heard token");
  });

  it("says what the broker says of a refused login, and which logins the port knows", async () => {
    const refusing = await broker((api) =>
      api === 17
        ? new RequestWriter().int16(0).int32(0)
        : new RequestWriter().int16(58).string("invalid credentials").bytes(Buffer.alloc(0))
    );
    const message = await problem(refusing, withLogin(plain));
    assert.match(message, /refused the login: invalid credentials; look at kafka\.sasl in the file/);
    const other = await broker(() => new RequestWriter().int16(33).int32(1).string("SCRAM-SHA-512"));
    assert.match(
      await problem(other, withLogin(plain)),
      /does not know PLAIN; this port knows SCRAM-SHA-512/,
    );
    const none = await broker(() => new RequestWriter().int16(34).int32(0));
    assert.match(await problem(none, withLogin(plain)), /this port has no login/);
  });

  it("names --verify-config when a port wants TLS or a login", async () => {
    const closing = await broker(() => undefined);
    assert.match(await problem(closing, openAccess), /the connection was closed; .*--verify-config FILE/);
    const alert = await broker(() => Buffer.from([0x15, 3, 3, 0, 2, 2, 40]));
    assert.match(await problem(alert, openAccess), /it speaks TLS; .*--verify-config FILE/);
  });

  it("asks for TLS on both sides when the port speaks none", async () => {
    const port = await broker(() => undefined);
    const access = { ...openAccess, tls: () => Promise.resolve({ rejectUnauthorized: false }) };
    assert.match(await problem(port, access), /does this port speak TLS/);
  });
});
