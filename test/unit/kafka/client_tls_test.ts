import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import { test } from "node:test";
import { ForwarderError } from "../../../src/core/errors.ts";
import type { KafkaCarrier } from "../../../src/kafka/carrier.ts";
import { certificateLookMs, ClientTls } from "../../../src/kafka/client_tls.ts";
import { systemClock } from "../../../src/kafka/clock.ts";
import { createKafkajsCarrier } from "../../../src/kafka/kafkajs_carrier.ts";
import { until } from "../../support/until.ts";
import { kafkaConfig } from "./bench_sink.ts";
import { FakeClock } from "./fake_clock.ts";
import { CertificateBench } from "./login_bench.ts";

/** Files of a client whose certificate is swapped by writing over them. */
function clientFiles(certificates: CertificateBench) {
  const use = (name: string, what: "both" | "certificate" = "both") => {
    certificates.write("used.crt", readFileSync(certificates.at(`${name}.crt`), "utf8"));
    if (what === "both") certificates.write("used.key", readFileSync(certificates.at(`${name}.key`), "utf8"));
  };
  return {
    use,
    tls: {
      verify: true,
      caFile: certificates.at("ca.crt"),
      certFile: certificates.at("used.crt"),
      keyFile: certificates.at("used.key"),
    },
  };
}

function made(): CertificateBench {
  const certificates = new CertificateBench();
  certificates.authority("ca");
  certificates.certificate("one", "ca", "DNS:one");
  certificates.certificate("two", "ca", "DNS:two");
  return certificates;
}

test("ClientTls.options() uses a new pair when it fits, keeps the former one when it does not, and says both once", async () => {
  using certificates = made();
  const { use, tls } = clientFiles(certificates);
  use("one");
  const events: [string, Readonly<Record<string, unknown>>][] = [];
  const client = new ClientTls(tls, new FakeClock(), (event, fields) => events.push([event, fields]));
  const text = (name: string) => readFileSync(certificates.at(name), "utf8");
  assert.equal((await client.options())["cert"], text("one.crt"));
  use("two", "certificate");
  for (let tries = 0; tries < 3; tries++) {
    const options = await client.options();
    assert.equal(options["cert"], text("one.crt"), "half of a pair is not used");
    assert.equal(options["key"], text("one.key"));
  }
  use("two");
  for (let tries = 0; tries < 3; tries++) assert.equal((await client.options())["cert"], text("two.crt"));
  rmSync(certificates.at("used.key"));
  assert.equal((await client.options())["key"], text("two.key"), "a file that is gone changes nothing");
  client.close();
  assert.deepEqual(events.map(([event]) => event), [
    "kafka_certificate_refused",
    "kafka_certificate_changed",
    "kafka_certificate_refused",
  ]);
  assert.match(String(events[0]![1]["message"]), /key ".*used\.key" belongs to another certificate$/);
  assert.match(String(events[2]![1]["message"]), /^Cannot read certificate ".*used\.key"/);
  assert.ok(!JSON.stringify(events).includes("PRIVATE"), "no key in the log");
});

test("ClientTls notices a wrong file while no connection is made", async () => {
  using certificates = made();
  const { use, tls } = clientFiles(certificates);
  use("one");
  const clock = new FakeClock();
  const events: string[] = [];
  const client = new ClientTls(tls, clock, (event) => events.push(event));
  await client.options();
  certificates.write("used.crt", "not a certificate");
  await until("the event", async () => {
    await clock.advance(certificateLookMs);
    return events.length > 0 || undefined;
  });
  assert.deepEqual(events, ["kafka_certificate_refused"]);
  client.close();
  assert.equal(clock.pending, 0);
});

const unusable: readonly { name: string; spoil: (certificates: CertificateBench) => void; want: RegExp }[] = [
  {
    name: "the key is another's",
    spoil: (c) => c.write("used.key", readFileSync(c.at("two.key"), "utf8")),
    want: /belongs to another/,
  },
  {
    name: "the certificate is no PEM",
    spoil: (c) => c.write("used.crt", "x"),
    want: /no PEM certificate in it$/,
  },
  {
    name: "the key is no PEM",
    spoil: (c) => c.write("used.key", "hunter2"),
    want: /no PEM private key in it$/,
  },
  { name: "the CA is no PEM", spoil: (c) => c.write("ca.crt", ""), want: /no PEM certificate in it$/ },
];
for (const { name, spoil, want } of unusable) {
  test(`ClientTls.options() is certificate_unusable at the start when ${name}`, async () => {
    using certificates = made();
    const { use, tls } = clientFiles(certificates);
    use("one");
    spoil(certificates);
    const client = new ClientTls(tls, new FakeClock(), undefined);
    const cause = await client.options().then(() => assert.fail("it was taken"), (thrown) => thrown);
    assert.ok(cause instanceof ForwarderError);
    assert.equal(cause.code, "certificate_unusable");
    assert.match(cause.message, want);
    assert.ok(!cause.message.includes("hunter2"));
  });
}

/** A server that only shakes hands; who came. */
async function withServer(
  certificates: CertificateBench,
  name: string,
  use: (port: number, peers: string[]) => Promise<void>,
): Promise<void> {
  const text = (file: string) => readFileSync(certificates.at(file), "utf8");
  const peers: string[] = [];
  const server = createServer({
    cert: text(`${name}.crt`),
    key: text(`${name}.key`),
    ca: text("ca.crt"),
    requestCert: true,
    rejectUnauthorized: true,
  }, (socket: TLSSocket) => {
    socket.on("error", () => {});
    peers.push(String(socket.getPeerCertificate().subject.CN));
    socket.destroy();
  });
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await use((server.address() as AddressInfo).port, peers);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

async function attempt(carrier: KafkaCarrier): Promise<string> {
  return await carrier.metadata([], false).then(() => "connected", (cause: ForwarderError) => cause.message);
}

test("carrier presents the new certificate to brokers when the files were swapped", async () => {
  using certificates = made();
  certificates.certificate("broker", "ca", "DNS:localhost,IP:127.0.0.1");
  const { use, tls } = clientFiles(certificates);
  use("one");
  await withServer(certificates, "broker", async (port, peers) => {
    const carrier = createKafkajsCarrier(kafkaConfig({ brokers: [`127.0.0.1:${port}`], tls }), systemClock);
    await attempt(carrier);
    use("two", "certificate");
    await attempt(carrier);
    use("two");
    await attempt(carrier);
    await until("three handshakes", () => peers.length === 3 || undefined);
    assert.deepEqual(peers, ["one", "one", "two"]);
    await carrier.close();
  });
});

const names: readonly { name: string; san: string; host: string; isTrusted: boolean }[] = [
  {
    name: "the certificate has the broker's address",
    san: "IP:127.0.0.1",
    host: "127.0.0.1",
    isTrusted: true,
  },
  { name: "the certificate has the broker's name", san: "DNS:localhost", host: "localhost", isTrusted: true },
  { name: "the certificate has another address", san: "IP:127.0.0.2", host: "127.0.0.1", isTrusted: false },
  { name: "the certificate has another name", san: "DNS:kafka.example", host: "localhost", isTrusted: false },
  {
    name: "the certificate has a name and not the address",
    san: "DNS:localhost",
    host: "127.0.0.1",
    isTrusted: false,
  },
];
for (const { name, san, host, isTrusted } of names) {
  test(`carrier ${isTrusted ? "trusts" : "refuses"} a broker when ${name}`, async () => {
    using certificates = made();
    certificates.certificate("broker", "ca", san);
    const { use, tls } = clientFiles(certificates);
    use("one");
    await withServer(certificates, "broker", async (port, peers) => {
      const carrier = createKafkajsCarrier(kafkaConfig({ brokers: [`${host}:${port}`], tls }), systemClock);
      const message = await attempt(carrier);
      await carrier.close();
      if (isTrusted) {
        await until("the handshake", () => peers.length === 1 || undefined);
        assert.match(message, /closed the connection|broke/);
      } else {
        assert.match(message, new RegExp(`^Broker "${host}:${port}" shows a certificate for other names`));
      }
    });
  });
}
