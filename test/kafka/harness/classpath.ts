/**
 * Apache Kafka's class path, resolved once by Maven from `test/kafka/pom.xml` and kept in `.tools/kafka`.
 *
 * The machine's own Maven settings (mirrors, proxies, local repository) are in force; nothing here overrides them.
 * Run as a program it resolves all versions, which is what the set-up of the test run does.
 *
 * @module
 */
import { existsSync, mkdirSync, readFileSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { onPath, run } from "./processes.ts";

/** Release lines that the tests run on: the newest, and the last one before 4.0. */
export type KafkaVersion = "4" | "3.9";

/** All of them; Maven profile by version (none is the pom's default). */
const profiles: Readonly<Record<KafkaVersion, string | undefined>> = { "4": undefined, "3.9": "kafka-3.9" };

const root = fileURLToPath(new URL("../../../", import.meta.url));
const pom = join(root, "test/kafka/pom.xml");
const cache = join(root, ".tools/kafka");

/** The exact release of a version, as pom.xml has it. */
export function exactVersion(version: KafkaVersion): string {
  const found = [...readFileSync(pom, "utf8").matchAll(/<kafka\.version>([\d.]+)<\/kafka\.version>/g)]
    .map((match) => match[1]!)
    .find((exact) => exact.startsWith(`${version}.`));
  if (found === undefined) throw new Error(`pom.xml names no release of Kafka ${version}`);
  return found;
}

/** The `java` to run: JAVA_HOME's if that is set, else the one on the path. */
export function javaProgram(): string {
  const home = process.env.JAVA_HOME;
  return home !== undefined && existsSync(join(home, "bin/java")) ? join(home, "bin/java") : "java";
}

/** Class path of a version. Asks Maven if it is not known yet or jars of it are gone. */
export async function classpath(version: KafkaVersion): Promise<string> {
  const file = join(cache, `${exactVersion(version)}.classpath`);
  const known = readKnown(file);
  if (known !== undefined) return known;
  if (!(await onPath("mvn"))) {
    throw new Error("Cannot fetch Apache Kafka: mvn is not on the path (apt-get install maven)");
  }
  mkdirSync(cache, { recursive: true });
  const fresh = `${file}.${process.pid}`;
  const profile = profiles[version];
  await run([
    "mvn",
    "--quiet",
    "--batch-mode",
    `--file=${pom}`,
    ...(profile === undefined ? [] : [`--activate-profiles=${profile}`]),
    "dependency:build-classpath",
    `-Dmdep.outputFile=${fresh}`,
  ]);
  renameSync(fresh, file);
  return readFileSync(file, "utf8").trim();
}

function readKnown(file: string): string | undefined {
  if (!existsSync(file) || statSync(file).mtimeMs < statSync(pom).mtimeMs) return undefined;
  const text = readFileSync(file, "utf8").trim();
  return text.split(":").every((jar) => existsSync(jar)) ? text : undefined;
}

if (import.meta.main) {
  for (const version of Object.keys(profiles) as KafkaVersion[]) {
    const started = Date.now();
    const jars = (await classpath(version)).split(":").length;
    console.log(`Apache Kafka ${exactVersion(version)}: ${jars} jars, ${Date.now() - started} ms`);
  }
}
