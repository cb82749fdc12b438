/**
 * The keys under `spool`: where batches lie on the disk until Kafka has acknowledged them.
 *
 * @module
 */
import { choice, section, size, text } from "./fields.ts";
import * as v from "valibot";

const mebibyte = 1024 * 1024;
const gibibyte = 1024 * mebibyte;

/** The keys under `spool`. */
export const spoolSchema = section("The spool: what is accepted lies on the disk until Kafka has it", {
  dir: v.optional(
    text(
      "Folder; relative to this file. Default: spool in $STATE_DIRECTORY, else $XDG_STATE_HOME/corndog/spool, else ./corndog-data/spool where corndog is started",
    ),
  ),
  durability: v.optional(
    choice(
      "What accepted lines survive: fsync a power cut; os the end of the process, kill -9 too; none neither: the disk then only takes what the memory cannot hold",
      ["none", "os", "fsync"],
    ),
    "os",
  ),
  bytes_max: v.optional(
    size("Most bytes of all its files; then corndog stops reading", {
      min: 16 * mebibyte,
      max: 1024 * 1024 * gibibyte,
    }),
    "10GiB",
  ),
  free_min: v.optional(
    size("Bytes that stay free on the file system", { min: 0, max: 1024 * gibibyte }),
    "512MiB",
  ),
  replay: v.optional(
    choice(
      "What goes first after a start: live_first new lines at once and old ones beside them, ordered the old ones",
      ["live_first", "ordered"],
    ),
    "live_first",
  ),
  replay_rate: v.optional(
    size("Bytes per second of old lines that are sent beside new ones (replay: live_first)", {
      min: 64 * 1024,
      max: 100 * gibibyte,
    }),
    "64MiB",
  ),
  parked_max: v.optional(
    size("Most bytes of each topic that cannot be delivered and is kept aside", {
      min: mebibyte,
      max: 1024 * gibibyte,
    }),
    "1GiB",
  ),
});
