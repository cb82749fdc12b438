/**
 * Thousands of rules as people write them for a fleet of services, and the lines that they are for. Rule `n` is of one
 * of six kinds (application log, sshd, access log, errors without case, JSON-free key and value, plain text) and
 * matches the lines of `lineOf(n, …)` and no others.
 *
 * @module
 */

/** How many kinds of rules there are; rule `n` is of kind `n % ruleKinds`. */
export const ruleKinds = 6;

const areas = ["order", "billing", "auth", "search", "cart", "mail", "stock", "user", "geo", "cdn"];
const roles = ["api", "worker", "db", "cache", "edge"];

function service(n: number): string {
  return `${areas[n % areas.length]}-${roles[Math.floor(n / areas.length) % roles.length]}-${n}`;
}

const forward = { type: "forward", topic: "out" };

/** Rule `n`, as in a rule file. */
export function ruleOf(n: number): unknown {
  switch (n % ruleKinds) {
    case 0:
      return {
        regex: `^${service(n)}: request (?P<id>\\w+) took (?P<ms>\\d+) ms`,
        actions: [{ ...forward, key: "{{id}}" }],
      };
    case 1:
      return {
        regex: `(?:Accepted|Failed) password for (?:invalid user )?(?P<user>u${n}) from (?P<ip>\\S+) port`,
        actions: [{ ...forward, key: "{{user}}" }],
      };
    case 2:
      return { regex: `"(?:GET|POST|PUT) /svc${n}/[^ ]* HTTP/1\\.[01]" 5\\d\\d`, actions: [forward] };
    case 3:
      return { regex: `(?i)error in module ${service(n)}`, actions: [forward] };
    case 4:
      return { contains: `session ${service(n)} opened`, actions: [forward] };
    default:
      return {
        regex: `user=(?P<u>\\w+) action=${service(n)} status=[45]\\d\\d`,
        actions: [{ ...forward, key: "{{u}}" }],
      };
  }
}

const filler =
  " the quick brown fox jumps over a lazy dog while seven wizards boil quartz and vex sphinxes 2026-01-02";

/** Every line is as long. */
export const lineBytes = 200;

/** A line for rule `n`; `i` makes it differ from the others. */
export function lineOf(n: number, i: number): string {
  const heads = [
    `${service(n)}: request r${i} took ${i} ms`,
    `Accepted password for u${n} from 10.0.0.${i % 256} port ${i}`,
    `10.1.2.3 - - [02/Jan/2026:03:04:05 +0000] "GET /svc${n}/a/${i} HTTP/1.1" 502 17`,
    `Error in module ${service(n)}: code ${i}`,
    `session ${service(n)} opened by ${i}`,
    `user=u${i} action=${service(n)} status=5${i % 10}3`,
  ];
  return (heads[n % ruleKinds] + filler + filler).slice(0, lineBytes);
}
