/**
 * Reads the body of a request by its endpoint, at once or in turns, and refuses one with more events than are taken.
 *
 * @module
 */
import type { Endpoint, Refusal } from "./endpoint.ts";
import {
  type Events,
  madeBytesMax,
  madeRecordsMax,
  PartTooLarge,
  recordsMax,
  TooManyEvents,
} from "./events.ts";
import type { Reading } from "./turns.ts";

const tooMany: Refusal = {
  status: 413,
  code: "events_too_many",
  detail: `A request may have ${recordsMax} events; where they are made from it, as by OpenTelemetry, ` +
    `${madeRecordsMax} and ${madeBytesMax} bytes: send fewer at a time`,
};

/** The events of a body, or why there are none. */
export function read(endpoint: Endpoint, body: Uint8Array): Events | Refusal {
  try {
    return endpoint.read(body);
  } catch (error) {
    return refusalOf(error);
  }
}

/** The same, some records at a time. */
export function* readInTurns(endpoint: Endpoint, body: Uint8Array): Reading<Events | Refusal> {
  try {
    return yield* endpoint.readInTurns(body);
  } catch (error) {
    return refusalOf(error);
  }
}

function refusalOf(error: unknown): Refusal {
  if (error instanceof TooManyEvents) return tooMany;
  if (error instanceof PartTooLarge) {
    return {
      status: 413,
      code: "part_too_large",
      detail: `What records share, as a resource or labels, may have ${error.bytesMax} bytes`,
    };
  }
  throw error;
}
