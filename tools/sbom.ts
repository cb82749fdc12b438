/**
 * The software bill of materials of the binary in CycloneDX 1.6: the runtime, and every package that goes into it.
 *
 * @module
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

interface Package {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly description?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** The bill as JSON. `time` is in seconds since 1970. */
export function sbomOf(root: string, time: number): unknown {
  const own = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Package;
  const bunVersion = /^bun_version=(.+)$/m.exec(readFileSync(join(root, "tools/toolchain.sh"), "utf8"))![1]!;
  const packages = packagesOf(root, own);
  const self = `pkg:generic/corndog@${own.version}`;
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      timestamp: new Date(time * 1000).toISOString(),
      component: {
        type: "application",
        "bom-ref": self,
        name: "corndog",
        version: own.version,
        licenses: licensesOf(own),
      },
    },
    components: [
      {
        type: "platform",
        "bom-ref": `pkg:npm/bun@${bunVersion}`,
        name: "bun",
        version: bunVersion,
        purl: `pkg:npm/bun@${bunVersion}`,
        licenses: [{ license: { id: "MIT" } }],
      },
      ...packages.map((one) => ({
        type: "library",
        "bom-ref": purlOf(one),
        name: one.name,
        version: one.version,
        ...(one.description === undefined ? {} : { description: one.description }),
        purl: purlOf(one),
        licenses: licensesOf(one),
      })),
    ],
    dependencies: [
      { ref: self, dependsOn: [`pkg:npm/bun@${bunVersion}`, ...dependenciesOf(own, packages)] },
      ...packages.map((one) => ({ ref: purlOf(one), dependsOn: dependenciesOf(one, packages) })),
    ],
  };
}

/** What package.json needs at run time, and what that needs, by name. */
function packagesOf(root: string, own: Package): Package[] {
  const found = new Map<string, Package>();
  const wanted = Object.keys(own.dependencies ?? {});
  for (let name = wanted.pop(); name !== undefined; name = wanted.pop()) {
    if (found.has(name)) continue;
    const path = join(root, "node_modules", name, "package.json");
    if (!existsSync(path)) throw new Error(`${name} is not installed; run bun install`);
    const one = JSON.parse(readFileSync(path, "utf8")) as Package;
    found.set(name, one);
    wanted.push(...Object.keys(one.dependencies ?? {}));
  }
  return [...found.values()].sort((a, b) => a.name < b.name ? -1 : 1);
}

function dependenciesOf(one: Package, packages: readonly Package[]): string[] {
  return Object.keys(one.dependencies ?? {}).sort().map((name) =>
    purlOf(packages.find((candidate) => candidate.name === name)!)
  );
}

function purlOf({ name, version }: Package): string {
  return `pkg:npm/${name.replace("@", "%40")}@${version}`;
}

/** One licence of SPDX's list is an id; several, such as "(MIT AND Zlib)", are an expression. */
function licensesOf({ license }: Package) {
  if (license === undefined) return [];
  return [/^[\w.+-]+$/.test(license) ? { license: { id: license } } : { expression: license }];
}
