/**
 * What the Grafana dashboard and the alert rules ask for is what `/metrics` has: names, and labels of each.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";
import { Exposition } from "../../../src/observe/exposition.ts";
import { sampleStats } from "./stats_sample.ts";

const docs = new URL("../../../docs/", import.meta.url);
const textOf = (name: string) => readFileSync(new URL(name, docs), "utf8");

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: Readonly<Record<string, string>>;
}

const rules = (parse(textOf("grafana/alerts.yml")) as { groups: { rules: Rule[] }[] }).groups.flatMap((
  group,
) => group.rules);
const dashboard = JSON.parse(textOf("grafana/corndog.json"));

/** Metric -> its labels, of everything that the program can say. */
function known(): Map<string, Set<string>> {
  const names = new Map<string, Set<string>>();
  for (const line of new Exposition().render(sampleStats()).split("\n")) {
    const sample = /^([a-z_]+)(?:\{(.*)\})? /.exec(line);
    if (sample === null) continue;
    const labels = names.get(sample[1]!) ?? new Set(["job", "instance"]);
    for (const [, label] of (sample[2] ?? "").matchAll(/([a-z_]+)="/g)) labels.add(label!);
    names.set(sample[1]!, labels);
  }
  return names;
}

/** Every expression of the dashboard: of panels, variables and annotations. */
function expressions(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(expressions);
  if (value === null || typeof value !== "object") return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    (key === "expr" || key === "query" || key === "definition") && typeof inner === "string"
      ? [inner]
      : expressions(inner)
  );
}

/** What is wrong with an expression. */
function faults(expression: string, metrics: Map<string, Set<string>>): string[] {
  const names = [...expression.matchAll(/\b(?:corndog|process)_[a-z_]+/g)].map(([name]) => name);
  const unknown = names.filter((name) => !metrics.has(name));
  const labels = new Set(names.flatMap((name) => [...metrics.get(name) ?? []]));
  const asked = [
    ...[...expression.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list]) => list!.split(/, */)),
    ...[...expression.matchAll(/[{,]([a-z_]+)=~?"/g)].map(([, label]) => label!),
  ];
  const foreign = names.length === 0 ? [] : asked.filter((label) => !labels.has(label));
  return [...unknown, ...foreign].map((name) => `${name} in ${expression}`);
}

test("the Grafana dashboard asks for metrics and labels that there are", () => {
  const metrics = known();
  const all = expressions(dashboard);
  assert.ok(all.length > 40);
  assert.deepEqual(all.flatMap((expression) => faults(expression, metrics)), []);
  const legends = JSON.stringify(dashboard).matchAll(/\{\{([a-z]+)\}\}/g);
  const labels = new Set([...metrics.values()].flatMap((of) => [...of]));
  for (const [, label] of legends) assert.ok(labels.has(label!), label);
});

test("the alert rules ask for metrics and labels that there are, and each has a line in OPERATIONS.md", () => {
  const metrics = known();
  assert.ok(rules.length > 10);
  assert.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length);
  for (const { alert, expr, annotations } of rules) {
    assert.deepEqual(faults(expr, metrics), [], alert);
    assert.match(textOf("OPERATIONS.md"), new RegExp(`^\\| \`${alert}\` +\\| \\S`, "m"));
    assert.ok(annotations.summary && annotations.description, alert);
  }
  const documented = [...textOf("OPERATIONS.md").matchAll(/^\| `(Corndog[A-Za-z]+)`/gm)].map(([, name]) =>
    name!
  );
  assert.deepEqual(documented, rules.map(({ alert }) => alert));
});

test("faults() names a metric and a label that there are not", () => {
  const metrics = known();
  assert.equal(faults("sum by (stage) (rate(corndog_lines_gone_total[5m]))", metrics).length, 2);
  assert.equal(faults('corndog_sink_ready{broker="a"}', metrics).length, 1);
});
