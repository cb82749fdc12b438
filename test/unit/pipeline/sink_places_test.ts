import assert from "node:assert/strict";
import { test } from "node:test";
import { SinkPlaces, type TopicBooks } from "../../../src/pipeline/sink_places.ts";

/** Places for 1,000 bytes, in which topics have what `held` says. */
function placesOf(held: Readonly<Record<string, number>>): { places: SinkPlaces; books: TopicBooks[] } {
  const places = new SinkPlaces();
  places.bytesMax = 1000;
  const books = Object.entries(held).map(([topic, bytes]) => {
    const own = places.of(topic);
    places.add(own, bytes);
    return own;
  });
  return { places, books };
}

test("SinkPlaces leaves half of the place to what moves when a stopped topic has more than all of it", () => {
  const { places, books: [stopped] } = placesOf({ stopped: 1200 });
  stopped!.stalls = true;
  places.stalledBytes = 1200;
  assert.equal(places.has(100, stopped!), false, "what stopped gets no more");
  const moving = places.of("moving");
  assert.equal(places.hasFor("moving"), true);
  assert.equal(places.has(800, moving), true, "one batch of any size, as in an empty sink");
  places.add(moving, 100);
  assert.equal(places.quarterFree, true);
  assert.equal(places.has(100, moving), true);
  places.add(moving, 100);
  assert.equal(places.has(100, moving), false, "300 of the half are left for others");
  assert.equal(places.has(300, places.of("another")), true);
  assert.equal(places.has(301, places.of("another")), false);
});

test("SinkPlaces gives one topic no more than it leaves for the others", () => {
  const { places, books: [own] } = placesOf({ own: 400 });
  assert.equal(places.has(100, own!), true);
  assert.equal(places.has(101, own!), false);
  assert.equal(places.has(600, places.of("another")), true);
  assert.equal(places.has(601, places.of("another")), false);
});

test("SinkPlaces lets the backlog be read for others while one topic has all that it may, of batches of any size", () => {
  for (const batch of [50, 100, 144, 190, 240]) {
    const { places, books: [own] } = placesOf({ own: batch });
    while (places.hasFor("own")) places.add(own!, batch);
    assert.equal(places.quarterFree, true, `${places.bytes} of 1000 by ${batch}`);
    assert.equal(places.hasFor("another"), true);
  }
});
