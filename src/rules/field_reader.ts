/**
 * How the text of a field is read from the line at hand.
 *
 * @module
 */

import { cachedFieldIndex, type LineContext } from "./line_context.ts";
import { structuredField } from "./matcher_schema.ts";

/** Reads one field; undefined where the line has none. */
export type ReadField = (context: LineContext) => string | undefined;

/** Reads a field of the line at hand. Message and frame are always there. */
export function fieldReader(field: string): ReadField {
  if (field === "msg") return (context) => context.message();
  if (field === "raw") return (context) => context.raw();
  const structured = structuredField(field);
  if (structured !== undefined) {
    const { id, param } = structured;
    return (context) => context.line.structured(id, param);
  }
  const index = cachedFieldIndex(field);
  return (context) => context.field(index);
}

/** True if the field is read without the header being parsed. */
export function isHeaderless(field: string): boolean {
  return field === "raw" || field === "peer";
}
