import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Config } from "../../../src/config/config.ts";
import { loadConfig } from "../../../src/config/load.ts";
import type { Logger } from "../../../src/observe/log.ts";
import { LogLevels } from "../../../src/observe/log_levels.ts";
import { ConfigDesk } from "../../../src/pipeline/config_desk.ts";
import type { Workers } from "../../../src/pipeline/workers.ts";

/** A desk over workers that do what is asked, and what was written to the log. */
function rig() {
  const loaded = loadConfig({ search: false, sets: ["log.format=human"], env: {}, cwd: "/" });
  assert.ok(loaded.ok);
  const { config } = loaded;
  const events: unknown[] = [];
  const log = {
    info: (event: string, fields: object) => events.push([event, fields]),
    warn: (event: string, { sections }: { sections: unknown }) => events.push([event, sections]),
  } as unknown as Logger;
  const told: unknown[] = [];
  const workers = {
    listeners: [],
    lookAtCertificates() {},
    setLog: (settings: unknown) => told.push(settings),
    prepareListeners: () => Promise.resolve({ commit: () => Promise.resolve(), discard() {} }),
  } as unknown as Workers;
  const levels = new LogLevels(config.log);
  return { config, desk: new ConfigDesk({ config, workers, log, levels }), events, told, levels };
}

describe("ConfigDesk", () => {
  const table: { name: string; listen: (config: Config) => Config["listen"] }[] = [
    { name: "alone", listen: ({ listen }) => listen },
    { name: "and the listeners go", listen: () => [] },
  ];
  for (const { name, listen } of table) {
    it(`prepare() keeps the log's form when it changes ${name}, and says so each time`, async () => {
      const { config, desk, events, told, levels } = rig();
      const log = { ...config.log, format: "json", level: "debug" } as const;
      const next = { ...config, log, listen: listen(config) };
      for (let reload = 0; reload < 2; reload++) {
        events.length = 0;
        const { told: answer, commit } = await desk.prepare(next);
        await commit();
        assert.deepEqual(answer.restart_needed, ["log.format"], `reload ${reload}`);
        assert.deepEqual(events[0], ["restart_needed", ["log.format"]], `reload ${reload}`);
        assert.deepEqual(desk.config.log, { ...config.log, level: "debug" });
      }
      assert.deepEqual(desk.config.listen, next.listen);
      assert.deepEqual(told, [{ ...config.log, level: "debug" }], "the level is in force, and told once");
      assert.ok(levels.allows("debug", "started"));
      // With the listeners that are in force: the ports of the embedded ones may be somebody else's.
      const { told: back } = await desk.prepare({ ...config, listen: next.listen });
      assert.equal("restart_needed" in back, false);
    });
  }
});
