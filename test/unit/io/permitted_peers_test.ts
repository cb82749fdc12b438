import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PermittedPeers, readAlternativeNames } from "../../../src/io/permitted_peers.ts";

describe("PermittedPeers.hasName()", () => {
  const table = [
    { peers: ["a.example"], san: "DNS:a.example", cn: undefined, want: true },
    { peers: ["a.example"], san: "DNS:b.example, DNS:A.Example.", cn: undefined, want: true },
    { peers: ["*.example"], san: "DNS:a.example", cn: undefined, want: true },
    { peers: ["*.example"], san: "DNS:a.b.example", cn: undefined, want: false },
    { peers: ["*.example"], san: "DNS:example", cn: undefined, want: false },
    { peers: ["*.example"], san: "DNS:.example", cn: undefined, want: false },
    { peers: ["a.example"], san: "DNS:*.example", cn: undefined, want: false },
    { peers: ["a.example"], san: "", cn: "a.example", want: true },
    { peers: ["a.example"], san: "IP Address:192.0.2.1", cn: "a.example", want: true },
    { peers: ["a.example"], san: "DNS:b.example", cn: "a.example", want: false },
    { peers: ["192.0.2.1"], san: "IP Address:192.0.2.1", cn: undefined, want: true },
    { peers: ["2001:db8::1"], san: "IP Address:2001:DB8:0:0:0:0:0:1", cn: undefined, want: true },
    { peers: ["192.0.2.1"], san: "IP Address:192.0.2.2", cn: undefined, want: false },
    { peers: ["spiffe://x/y"], san: "URI:spiffe://x/y", cn: undefined, want: true },
    { peers: ["edge box 7"], san: "", cn: "Edge Box 7", want: true },
    // One name with a comma in it, as node:tls writes it: it is not two names.
    { peers: ["good.example"], san: 'DNS:"evil.example, DNS:good.example"', cn: undefined, want: false },
  ];
  for (const { peers, san, cn, want } of table) {
    it(`says ${want} to SAN "${san}" and CN ${cn} when ${peers} is permitted`, () => {
      const peer = { commonName: cn, alternativeNames: san, fingerprint: undefined };
      assert.equal(new PermittedPeers(peers).hasName(peer), want);
    });
  }
});

describe("PermittedPeers.hasFingerprint()", () => {
  it("compares all 32 bytes when the certificate has colons and the list has none", () => {
    const hex = "ab".repeat(31);
    const peers = new PermittedPeers([`SHA256:${hex.toUpperCase()}CD`]);
    const fingerprint = (last: string) => (hex + last).match(/../g)!.join(":");
    const peer = (last: string) => ({
      commonName: undefined,
      alternativeNames: undefined,
      fingerprint: fingerprint(last),
    });
    assert.equal(peers.hasFingerprint(peer("cd")), true);
    assert.equal(peers.hasFingerprint(peer("ce")), false);
    assert.equal(peers.hasFingerprint({ ...peer("cd"), fingerprint: undefined }), false);
  });
});

describe("readAlternativeNames()", () => {
  it("ends on whatever it is given", () => {
    for (const text of ["", ",", "DNS", "DNS:", 'DNS:"', 'DNS:"\\', "DNS:a,,DNS:b", 'DNS:"a"x, DNS:b']) {
      readAlternativeNames(text);
    }
  });
});
