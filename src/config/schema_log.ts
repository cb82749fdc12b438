/**
 * The `log` section: what corndog tells of itself, by component.
 *
 * @module
 */
import * as v from "valibot";
import { type LogComponent, logComponents, logFormats, type LogLevel, logLevels } from "../core/log_names.ts";
import { choice, section } from "./fields.ts";

/** What each component tells. */
const descriptions: Readonly<Record<LogComponent, string>> = {
  process: "start, stop, signals, reload, upgrade, limits of the system",
  listeners: "connections, datagrams, certificates, sockets",
  http: "HTTP requests to listeners",
  relp: "RELP sessions",
  rules: "swaps of rules",
  spool: "the spool's disk",
  kafka: "brokers, topics, batches, logins",
  dead_letter: "the dead letter",
  watch: "held workers, lost waits, the flight recorder",
  admin: "requests to the admin API",
  metrics: "metrics that are pushed",
};

/** A level; every `log.levels` entry and `log.level` itself. */
const level = (description: string) => choice(description, logLevels);

const levelEntries = Object.fromEntries(
  logComponents.map((name) => [name, v.optional(level(`Level of ${descriptions[name]}`))]),
) as Readonly<
  Record<LogComponent, v.OptionalSchema<v.GenericSchema<LogLevel, LogLevel>, undefined>>
>;

/** The keys of `log`. */
export const logSchema = section("What corndog tells of itself on stderr; a reload changes the levels", {
  level: v.optional(level("The least important events that are written"), "info"),
  levels: v.optional(section("The same for components that are to tell more, or less", levelEntries), {}),
  format: v.optional(
    choice(
      "One JSON object per line, or a form for people; auto: human on a terminal, else json",
      logFormats,
    ),
    "auto",
  ),
});
