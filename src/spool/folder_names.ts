/**
 * Names of folders in a spool.
 *
 *     DIR/w0/                     of worker 0
 *     DIR/w0/parked/TOPIC/        the place of a parked topic
 *
 * @module
 */

/** The name of the folder with the places of parked topics. */
export const parkedName = "parked";

/** The number of the worker whose folder has this name; undefined where it is no such folder. */
export function workerNumber(name: string): number | undefined {
  return /^w\d{1,4}$/.test(name) ? Number(name.slice(1)) : undefined;
}

/** The topic whose parking place a folder is; undefined where it is none. */
export function parkedTopic(folder: string): string | undefined {
  return folder.includes(`/${parkedName}/`) ? topicOf(folder.split("/").at(-1)!) : undefined;
}

/** The worker's folder that a parking place belongs to; another folder is its own. */
export function homeOf(folder: string): string {
  const at = folder.indexOf(`/${parkedName}/`);
  return at < 0 ? folder : folder.slice(0, at);
}

/** A topic as the name of a folder; what Kafka allows stays readable. */
export function folderNameOf(topic: string): string {
  return encodeURIComponent(topic).replace(/^\.+$/, (dots) => dots.replaceAll(".", "%2E"));
}

/** The topic whose folder has this name. */
export function topicOf(folderName: string): string {
  return decodeURIComponent(folderName);
}
