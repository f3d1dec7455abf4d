// Words: states, progress, sizes and times as the page says them.
import { grouped } from "../src/scales";
import type { Job, JobState, ModelInfo, Progress, StoredImage } from "./types";

export const STATE_NAMES: Record<JobState, string> = { queued: "waiting", running: "running", stopped: "stopped", finished: "finished", failed: "failed" };

export const plural = (count: number, one: string, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

export function sizeText(bytes: number): string {
  if (bytes < 1000) return plural(bytes, "byte");
  const units = ["kB", "MB", "GB"];
  let value = bytes / 1000;
  let at = 0;
  for (; value >= 999.5 && at < units.length - 1; at++) value /= 1000;
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[at]}`;
}

export function imageText({ width, height, depth, channels, bytes }: StoredImage): string {
  if (width === null || height === null) return sizeText(bytes);
  const sides = depth ? [depth, height, width] : [width, height];
  return `${sides.map(grouped).join(" \u00d7 ")} ${depth ? "voxels" : channels === 1 ? "px, gray" : "px"}`;
}

export function modelText(model: ModelInfo): string {
  const parts = [
    model.label_count ? `${grouped(model.label_count)} labels` : "",
    model.output ?? "",
    model.grid ? model.grid.join(" \u00d7 ") + (model.grid.length === 3 ? " voxels" : " px") : "",
  ].filter(Boolean);
  return parts.length ? parts.join(", ") : "loading its labels \u2026";
}

/** A time in words, short for today. */
export function timeText(seconds: number, now = Date.now()): string {
  const date = new Date(seconds * 1000);
  const isToday = date.toDateString() === new Date(now).toDateString();
  const clock = `${String(date.getHours()).padStart(2, "0")}:${String(date.getMinutes()).padStart(2, "0")}`;
  return isToday ? clock : `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, "0")}-${String(date.getDate()).padStart(2, "0")} ${clock}`;
}

/** What a running job does, and how far it is with it. */
export function progressOf(job: Job, progress: Progress | undefined): { text: string; share: number | null } {
  if (job.stopping) return { text: "Stopping", share: null };
  if (job.state === "queued") return { text: "Waits for its turn", share: null };
  if (!progress) return { text: "Preparing the classifier", share: null };
  const { round, rounds, sample, samples, cards } = progress;
  const within = samples ? sample / samples : 0;
  if (cards) return { text: `Testing the regions: ${sample} of ${samples}`, share: within };
  return { text: `Round ${round} of at most ${rounds}`, share: rounds ? Math.min(1, (round - 1 + within) / rounds) : null };
}

/** A p-value with as many digits as mean something. */
export function pText(p: number): string {
  return p < 0.001 ? "p < 0.001" : `p = ${p.toFixed(p < 0.1 ? 3 : 2)}`;
}
