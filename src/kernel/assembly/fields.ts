/**
 * The words of a header row: priority, then start and end of each field (`headerWord` of the front). Both are 0
 * where a field is absent or nil.
 */

/** A field's two words; the fields stand in the order of RFC 5424. */
export const fieldBytes: usize = 8;

export const timestampAt: usize = 1 * 4;
export const hostnameAt: usize = 3 * 4;
export const appnameAt: usize = 5 * 4;
export const procidAt: usize = 7 * 4;
export const msgidAt: usize = 9 * 4;
export const structuredDataAt: usize = 11 * 4;

/** Words 1 to 12; word 13 belongs to octet counting. */
// @ts-ignore: decorator
@inline
export function clearFields(header: usize): void {
  const nothing = i64x2.splat(0);
  v128.store(header, nothing, 4);
  v128.store(header, nothing, 20);
  v128.store(header, nothing, 36);
}

/** Keeps [start, end) as the field at `word`, unless it is the nil value "-". */
// @ts-ignore: decorator
@inline
export function storeField(header: usize, word: usize, start: usize, end: usize): void {
  if (end - start == 1 && load<u8>(start) == 0x2d) return;
  store<u64>(header + word, <u64>start | (<u64>end << 32));
}

// @ts-ignore: decorator
@inline
export function hasField(header: usize, word: usize): bool {
  return load<u32>(header + word) != 0;
}
