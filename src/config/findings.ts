/**
 * What resolving a configuration works with, and what it finds on the way.
 *
 * @module
 */
import { checkTlsFiles, type TlsFiles } from "./certificates.ts";
import type { Config } from "./config.ts";
import type { Environment } from "./environment.ts";
import type { Problem } from "./explain.ts";
import type { Files } from "./files.ts";
import type { Path } from "./yaml.ts";

/** What resolving needs besides the written configuration. */
export interface ResolveContext {
  readonly file: string | undefined;
  readonly dialect: Config["dialect"];
  readonly files: Files;
  readonly env: Environment;
  /** Makes a written path absolute. */
  readonly absolute: (path: string) => string;
  /** Absolute folder for data where none is written. */
  readonly dataDir: string;
  readonly cores: number;
  readonly nowMs: number;
}

/** Faults and warnings, in the order they were found. */
export class Findings {
  readonly faults: Problem[] = [];
  readonly warnings: Problem[] = [];

  fault(path: Path, message: string): void {
    this.faults.push({ path, at: "value", message });
  }

  warn(path: Path, message: string): void {
    this.warnings.push({ path, at: "value", message });
  }
}

/** Looks at the files of one TLS end, whose keys stand at `at`. */
export function checkTls(files: TlsFiles, at: Path, context: ResolveContext, findings: Findings): void {
  for (const { key, message, warning } of checkTlsFiles(context.files, files, context.nowMs)) {
    if (warning) findings.warn([...at, key], message);
    else findings.fault([...at, key], message);
  }
}
