import assert from "node:assert/strict";
import { copyFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import type { TlsListener } from "../../../src/io/tls.ts";
import { loadTlsMaterial, tlsFilesVersion, type TlsMaterial } from "../../../src/io/tls_material.ts";
import { CertificateWatch } from "../../../src/pipeline/certificate_watch.ts";
import { makeCertificates } from "../io/certificates.ts";

const { dir, file } = makeCertificates();
after(() => rmSync(dir, { recursive: true }));

async function setUp(name: string, crl?: string) {
  const [certFile, keyFile] = [join(dir, `${name}.live.crt`), join(dir, `${name}.live.key`)];
  const put = (from: string, what: "crt" | "key") =>
    copyFileSync(file(`${from}.${what}`), join(dir, `${name}.live.${what}`));
  put("server", "crt");
  put("server", "key");
  const files = {
    certFile,
    keyFile,
    ...(crl === undefined ? {} : { caFile: file("ca.crt"), crlFile: file(crl) }),
  };
  const loaded: TlsMaterial[] = [];
  const events: { event: string; fields: Readonly<Record<string, unknown>> }[] = [];
  const listener: TlsListener = {
    address: "",
    port: 0,
    close: () => Promise.resolve(),
    reload: (material) => void loaded.push(material),
  };
  const watch = new CertificateWatch({
    name: "tls://x",
    files,
    listener,
    material: await loadTlsMaterial(files),
    version: await tlsFilesVersion(files),
    log: (event, fields) => void events.push({ event, fields }),
  });
  return { watch, put, loaded, events };
}

describe("CertificateWatch", () => {
  it("swaps a new pair in when its files have stood still for a look", async () => {
    const { watch, put, loaded, events } = await setUp("swap");
    await watch.look();
    put("renewed", "crt");
    await watch.look();
    put("renewed", "key");
    await watch.look();
    assert.deepEqual(loaded, [], "certificate and key were not written at once");
    await watch.look();
    assert.equal(loaded.length, 1);
    assert.deepEqual(events.map(({ event }) => event), ["certificate_reloaded"]);
    await watch.look();
    assert.equal(loaded.length, 1);
  });

  it("keeps the former pair and says why when the new one does not fit, then takes a good one", async () => {
    const { watch, put, loaded, events } = await setUp("misfit");
    put("renewed", "crt");
    for (let look = 0; look < 4; look++) await watch.look();
    assert.deepEqual(loaded, []);
    assert.deepEqual(events.map(({ event }) => event), ["certificate_refused"]);
    assert.match(String(events[0]!.fields.problem), /belongs to another certificate; the former/);
    put("renewed", "key");
    for (let look = 0; look < 2; look++) await watch.look();
    assert.equal(loaded.length, 1);
  });

  it("keeps the former pair when a file is gone", async () => {
    const { watch, loaded, events } = await setUp("gone");
    rmSync(join(dir, "gone.live.key"));
    for (let look = 0; look < 3; look++) await watch.look();
    assert.deepEqual([loaded.length, events[0]!.event], [0, "certificate_refused"]);
  });

  it("names a certificate that ends within 30 days once a day, and one that has ended", async () => {
    const { watch, events } = await setUp("ends");
    const dayMs = 86_400_000;
    const epochMs = watch.endsAtMs;
    const table = [
      { at: -31, told: 0 },
      { at: -29, told: 1 },
      { at: -28.5, told: 1 },
      { at: -27.9, told: 2 },
      { at: 1, told: 3 },
    ];
    for (const { at, told } of table) {
      watch.tick(0, epochMs + at * dayMs);
      assert.equal(events.length, told, `${at} days`);
    }
    assert.match(String(events[0]!.fields.problem), /ends in 29 days/);
    assert.match(String(events[2]!.fields.problem), /has ended/);
  });

  it("names a revocation list that should have been replaced", async () => {
    const { watch, events } = await setUp("crl", "ca.crl");
    watch.tick(0, Date.now());
    watch.tick(0, Date.now() + 40 * 86_400_000);
    assert.equal(events.filter(({ event }) => event === "revocations_old").length, 1);
  });
});
