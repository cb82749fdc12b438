/**
 * The configuration in force, and how a changed one comes in force: what a reload can change, on all workers or on
 * none; what it cannot is named.
 *
 * @module
 */
import type { Config } from "../config/config.ts";
import { probeAddress } from "../io/probe.ts";
import type { Logger } from "../observe/log.ts";
import type { LogLevels } from "../observe/log_levels.ts";
import { createDealTable } from "./dealer.ts";
import { createListenerRates } from "./http_listener.ts";
import { canListen, type ListenChange, listenChanges, namesOf, restartNeeded, samePort } from "./reload.ts";
import type { Beside } from "./rules_desk.ts";
import { type BoundListener, socketsOf } from "./upgrade.ts";
import type { Workers } from "./workers.ts";

/** What the desk works with. */
export interface ConfigDeskParts {
  /** At the start. */
  readonly config: Config;
  readonly workers: Workers;
  readonly log: Logger;
  readonly levels: LogLevels | undefined;
}

/** The configuration of one process. */
export class ConfigDesk {
  readonly #parts: ConfigDeskParts;
  #config: Config;
  /** Of the next listener that a reload brings. */
  #nextScope: number;

  constructor(parts: ConfigDeskParts) {
    this.#parts = parts;
    this.#config = parts.config;
    this.#nextScope = parts.config.listen.length;
  }

  /** In force. */
  get config(): Config {
    return this.#config;
  }

  /** The listeners in force with their real addresses. */
  boundListeners(): BoundListener[] {
    const { listeners } = this.#parts.workers;
    return this.#config.listen.map((listen, index) => ({ listen, address: listeners[index]?.address ?? "" }));
  }

  /** Prepares everything of a configuration that can change, beside the rules. @throws ForwarderError */
  async prepare(config: Config): Promise<Beside> {
    const sections = this.#tellRestart(config);
    const told = sections.length === 0 ? {} : { restart_needed: sections };
    const before = this.#config;
    const { drainTimeoutMs } = config;
    // The form of the log is chosen when the process starts: what is not in force is not said to be.
    const log = { ...config.log, format: before.log.format };
    const changes = canListen(before, config) ? listenChanges(before.listen, config.listen) : undefined;
    if (changes === undefined) {
      const commit = () => this.#adopt({ ...this.#config, drainTimeoutMs, log });
      return { commit, discard: () => {}, told };
    }
    const prepared = await this.#prepareListeners(changes);
    const listeners = namesOf(before.listen, changes);
    return {
      commit: async () => {
        const committed = prepared.commit(drainTimeoutMs);
        this.#adopt({ ...this.#config, drainTimeoutMs, log, listen: config.listen });
        // Who hears of the reload finds the new listeners, not one that is about to go.
        await committed;
        this.#parts.log.info("listeners_changed", { ...listeners });
      },
      discard: () => prepared.discard(),
      told: { listeners, ...told },
    };
  }

  /** Rules alone are read anew: the rest stays, and what of it has changed is named. */
  rulesAlone(config: Config): Beside {
    this.#tellRestart(config);
    if (listenChanges(this.#config.listen, config.listen) !== undefined) {
      const problem = "listeners change at a reload: SIGHUP, or POST /admin/reload";
      this.#parts.log.warn("reload_needed", { sections: ["listen"], problem });
    }
    return { commit: () => {}, discard: () => {}, told: {} };
  }

  #adopt(config: Config): void {
    const { workers, levels, log } = this.#parts;
    const former = this.#config.log;
    this.#config = config;
    workers.lookAtCertificates();
    const { level, levels: own } = config.log;
    if (
      levels === undefined || JSON.stringify([level, own]) === JSON.stringify([former.level, former.levels])
    ) {
      return;
    }
    levels.set(config.log);
    workers.setLog(config.log);
    log.info("log_levels_changed", { levels: { all: level, ...own } });
  }

  #tellRestart(config: Config): string[] {
    const sections = restartNeeded(this.#config, config);
    if (sections.length > 0) {
      const problem = "these change only with a new process: corndog upgrade, or a restart";
      this.#parts.log.warn("restart_needed", { sections, problem });
    }
    return sections;
  }

  async #prepareListeners(changes: readonly ListenChange[]) {
    for (const { listen, former } of changes) {
      const { transport, hostname, port } = listen;
      if (former !== undefined || listen.path !== "" || transport === "stdin") continue;
      if (this.#config.listen.some((own) => samePort(own, listen))) continue;
      await probeAddress({ transport: transport === "udp" ? "udp" : "tcp", hostname, port });
    }
    const sockets = await socketsOf(this.boundListeners());
    return await this.#parts.workers.prepareListeners(changes.map(({ listen: entry, former, isSame }) => ({
      listen: entry,
      ...(isSame ? { keep: former! } : {}),
      scope: this.#nextScope++,
      sockets: former === undefined || isSame ? [] : sockets[former]!,
      rates: createListenerRates(entry),
      deals: createDealTable(this.#config.workers),
    })));
  }
}
