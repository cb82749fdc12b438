import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { Revocations } from "../../../src/io/revocations.ts";
import { makeCertificates } from "./certificates.ts";

const { dir, file } = makeCertificates();
after(() => rmSync(dir, { recursive: true }));
const pem = readFileSync(file("ca.crl"), "utf8");
const raw = (name: string) => new X509Certificate(readFileSync(file(`${name}.crt`))).raw;

describe("Revocations", () => {
  it("has the revoked certificate and no other when openssl wrote the list", () => {
    const revocations = Revocations.read(pem)!;
    assert.equal(revocations.size, 1);
    assert.equal(revocations.has(raw("revoked")), true);
    for (const name of ["client", "server", "stranger", "self", "ca"]) {
      assert.equal(revocations.has(raw(name)), false, name);
    }
    const days = (revocations.nextUpdateMs! - Date.now()) / 86_400_000;
    assert.ok(days > 28 && days < 31, `${days} days`);
  });

  it("reads several lists of one file", () => {
    const both = Revocations.read(`${readFileSync(file("empty.crl"), "utf8")}\nwords between\n${pem}`)!;
    assert.equal(both.size, 1);
  });

  it("is undefined when there is no list, or a damaged one", () => {
    assert.equal(Revocations.read(""), undefined);
    assert.equal(Revocations.read(readFileSync(file("ca.crt"), "utf8")), undefined);
    const base64 = /CRL-----\n([^-]+)/.exec(pem)![1]!;
    assert.equal(Revocations.read(pem.replace(base64, base64.slice(0, 60))), undefined);
  });

  it("takes what is no certificate for revoked", () => {
    assert.equal(Revocations.read(pem)!.has(new Uint8Array(3)), true);
  });

  it("never throws, whatever byte is wrong", () => {
    const base64 = /CRL-----\n([^-]+)/.exec(pem)![1]!;
    const der = Uint8Array.from(atob(base64.replaceAll("\n", "")), (char) => char.charCodeAt(0));
    fc.assert(fc.property(fc.nat(der.length - 1), fc.nat(255), (at, byte) => {
      const changed = der.slice();
      changed[at] = byte;
      const text = btoa(String.fromCharCode(...changed));
      Revocations.read(`-----BEGIN X509 CRL-----\n${text}\n-----END X509 CRL-----`)?.has(raw("client"));
    }));
  });
});
