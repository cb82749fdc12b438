// @ts-check
/**
 * Figures as people read them. Pure.
 *
 * @module
 */

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const threeDigits = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

/**
 * A count: `1,234,567`.
 * @param {number} value
 */
export function count(value) {
  return whole.format(value);
}

/**
 * A rate; below ten with a decimal, so that 0.4/s is not 0.
 * @param {number} value
 */
export function rate(value) {
  return value > 0 && value < 10 ? threeDigits.format(Math.round(value * 10) / 10) : whole.format(value);
}

/**
 * For axes, where room is short: `150 k`, `1.2 M`.
 * @param {number} value
 */
export function compact(value) {
  const [scaled, unit] = scale(value, ["", "k", "M", "G", "T"]);
  return unit === "" ? scaled : `${scaled} ${unit}`;
}

/**
 * Bytes with a decimal unit: `["236", "MB"]`.
 * @param {number} value
 * @returns {[string, string]}
 */
export function bytes(value) {
  return scale(value, ["B", "kB", "MB", "GB", "TB", "PB"]);
}

/**
 * @param {number} value
 * @param {string[]} units
 * @returns {[string, string]}
 */
function scale(value, units) {
  let step = 0;
  while (Math.abs(value) >= 999.5 && step < units.length - 1) {
    value /= 1000;
    step++;
  }
  return [threeDigits.format(value), units[step]];
}

/**
 * A latency: `["850", "µs"]`, `["3.1", "ms"]`, `["12", "s"]`, `["5", "min"]`.
 * @param {number} ms
 * @returns {[string, string]}
 */
export function latency(ms) {
  if (ms > 0 && ms < 0.9995) return [threeDigits.format(ms * 1000), "µs"];
  if (ms < 999.5) return [threeDigits.format(ms), "ms"];
  if (ms < 119_500) return [threeDigits.format(ms / 1000), "s"];
  return [threeDigits.format(ms / 60_000), "min"];
}

/**
 * How long something took or lasts: `42 s`, `3 min 5 s`, `2 h 10 min`, `4 d 3 h`.
 * @param {number} seconds
 */
export function duration(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor(s % 86_400 / 3600)} h`;
}

/**
 * A share of a whole: `37 %`, `0.02 %`, `< 0.01 %`.
 * @param {number} part
 * @param {number} all
 */
export function share(part, all) {
  if (all <= 0 || part <= 0) return "0 %";
  const percent = part / all * 100;
  if (percent < 0.01) return "< 0.01 %";
  // Not "100 %" while something is missing.
  const shown = percent > 99 && part < all ? Math.floor(percent * 100) / 100 : percent;
  return `${shown < 99 ? threeDigits.format(shown) : shown.toFixed(2).replace(/\.00$/, "")} %`;
}

/**
 * The time of day where the reader is: `14:03:22`.
 * @param {number} atMs
 */
export function clock(atMs) {
  return new Date(atMs).toLocaleTimeString("en-GB");
}

/**
 * A counter's or field's name in words: `dropped rule stop`.
 * @param {string} name
 */
export function words(name) {
  return name.replaceAll("_", " ");
}
