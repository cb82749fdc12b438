// @ts-check
/**
 * What the axes of plots span. Pure.
 *
 * @module
 */

/**
 * The next 1, 2 or 5 times a power of ten.
 * @param {number} value
 */
export function niceCeiling(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 2, 5].find((step) => value <= step * power) ?? 10);
}

/**
 * Powers of ten around all values.
 * @param {readonly number[]} values
 * @returns {[number, number]}
 */
export function decades(values) {
  const positive = values.filter((value) => value > 0);
  if (positive.length === 0) return [1, 10];
  const low = 10 ** Math.floor(Math.log10(Math.min(...positive)));
  const high = 10 ** Math.ceil(Math.log10(Math.max(...positive)));
  return [low, Math.max(high, low * 10)];
}

/**
 * The powers of ten of an axis, at most five.
 * @param {number} low
 * @param {number} high
 */
export function powers(low, high) {
  const first = Math.round(Math.log10(low));
  const many = Math.round(Math.log10(high)) - first;
  const step = Math.ceil(many / 4);
  return Array.from({ length: Math.floor(many / step) + 1 }, (_, index) => 10 ** (first + index * step));
}
