/**
 * How busy the processors are: the larger of what this process uses of those that it may use, and of what everybody
 * uses of all. The first counts where a container has less than the machine, the second where neighbours work.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import process from "node:process";

/** Processors that this process may use at a time; a fraction where a container limits it (cgroup v2 `cpu.max`). */
export function usableCores(read: (path: string) => string = (path) => readFileSync(path, "utf8")): number {
  const cores = availableParallelism();
  try {
    const [quota, period] = read("/sys/fs/cgroup/cpu.max").split(" ").map(Number);
    const limit = quota! / period!;
    return limit > 0 ? Math.min(cores, limit) : cores;
  } catch {
    return cores;
  }
}

/** A function that says which share was busy since its last call, 0 to 1. */
export function busyShareOf(cores: number, nowMs: () => number = () => performance.now()): () => number {
  let own = process.cpuUsage();
  let fromMs = nowMs();
  let machine = machineTimes();
  return () => {
    const spanMs = Math.max(1, nowMs() - fromMs);
    const { user, system } = process.cpuUsage(own);
    const before = machine;
    own = process.cpuUsage();
    fromMs = nowMs();
    machine = machineTimes();
    const all = machine.all - before.all;
    const ofMachine = all > 0 ? (all - (machine.idle - before.idle)) / all : 0;
    return Math.min(1, Math.max((user + system) / 1000 / spanMs / cores, ofMachine));
  };
}

function machineTimes(): { idle: number; all: number } {
  let idle = 0;
  let all = 0;
  for (const { times } of cpus()) {
    idle += times.idle;
    all += times.user + times.nice + times.sys + times.idle + times.irq;
  }
  return { idle, all };
}
