import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { maskedNetwork, NetworkSet, readAddress, readNetwork } from "../../../src/core/networks.ts";

const hex = (bytes: Uint8Array | undefined) =>
  bytes && Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

describe("readAddress()", () => {
  const table = [
    { text: "192.0.2.7", want: "00000000000000000000ffffc0000207" },
    { text: "::ffff:192.0.2.7", want: "00000000000000000000ffffc0000207" },
    { text: "::", want: "0".repeat(32) },
    { text: "::1", want: "0".repeat(31) + "1" },
    { text: "2001:db8::8:800:200c:417a", want: "20010db80000000000080800200c417a" },
    { text: "fe80::1%eth0", want: "fe800000000000000000000000000001" },
    { text: "1:2:3:4:5:6:7:8", want: "00010002000300040005000600070008" },
    { text: "1:2:3:4:5:6:192.0.2.7", want: "000100020003000400050006c0000207" },
    { text: "1::", want: "00010000000000000000000000000000" },
    { text: "1:2:3:4:5:6:7::", want: "00010002000300040005000600070000" },
  ];
  for (const { text, want } of table) {
    it(`reads ${text}`, () => assert.equal(hex(readAddress(text)), want));
  }
  const none = [
    "",
    "1.2.3",
    "1.2.3.4.5",
    "256.1.1.1",
    "01.2.3.4",
    "1.2.3.4x",
    ":",
    ":::",
    "1:2",
    "::1::",
    "g::",
  ];
  for (const text of [...none, "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "12345::", "1.2.3.4::", "::1.2.3"]) {
    it(`refuses "${text}"`, () => assert.equal(readAddress(text), undefined));
  }
});

describe("readNetwork()", () => {
  for (
    const text of ["10.0.0.0/8", "0.0.0.0/0", "192.0.2.7", "192.0.2.7/32", "2001:db8::/32", "::/0", "::1"]
  ) {
    it(`reads ${text}`, () => assert.ok(readNetwork(text)));
  }
  for (
    const text of [
      "10.0.0.1/8",
      "10.0.0.0/33",
      "::/129",
      "2001:db8::1/32",
      "10.0.0.0/",
      "/8",
      "host/8",
      "10/8",
    ]
  ) {
    it(`refuses ${text}`, () => assert.equal(readNetwork(text), undefined));
  }
});

describe("maskedNetwork()", () => {
  it("gives what was meant when bits lie behind the prefix", () => {
    assert.equal(maskedNetwork("10.1.2.3/8"), "10.0.0.0/8");
    assert.equal(maskedNetwork("192.0.2.255/25"), "192.0.2.128/25");
    assert.equal(maskedNetwork("10.1.2.3/40"), undefined);
  });
});

describe("NetworkSet.has()", () => {
  const set = new NetworkSet(["10.0.0.0/8", "192.0.2.128/25", "2001:db8::/33", "::1"]);
  const table = [
    { host: "10.255.255.255", want: true },
    { host: "11.0.0.0", want: false },
    { host: "192.0.2.128", want: true },
    { host: "192.0.2.127", want: false },
    { host: "::ffff:10.1.1.1", want: true },
    { host: "2001:db8:7fff::", want: true },
    { host: "2001:db8:8000::", want: false },
    { host: "::1", want: true },
    { host: "::2", want: false },
    { host: "unix", want: false },
  ];
  for (const { host, want } of table) it(`says ${want} to ${host}`, () => assert.equal(set.has(host), want));

  it("has every address of the family when the prefix is 0", () => {
    const all = new NetworkSet(["0.0.0.0/0"]);
    assert.equal(all.has("203.0.113.9"), true);
    assert.equal(all.has("2001:db8::1"), false);
  });
});
