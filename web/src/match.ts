// What two runs of one image have in common: regions in the same places, and settings that differ.
import type { Mask, Region, ViewDocument } from "./document";
import { runEnds } from "./masks";
import { baseName, percent } from "./scales";

const LEAST = 0.25; // overlap of regions that count as the same place

/** A region of the first run and one of the second in the same place; null where only one run has a region there. */
export interface Pair {
  first: Region | null;
  second: Region | null;
  /** Intersection over union; 0 without a counterpart. */
  overlap: number;
}

/** How many pixels are in both masks, of one shape, from their run lengths. */
export function commonPixels(a: Mask, b: Mask): number {
  const [first, second] = [runEnds(a), runEnds(b)];
  let [i, j, place, count] = [0, 0, 0, 0];
  while (i < first.length && j < second.length) {
    const end = Math.min(first[i], second[j]);
    if (i % 2 && j % 2) count += end - place;
    place = end;
    if (first[i] === end) i++;
    if (j < second.length && second[j] === end) j++;
  }
  return count;
}

function overlapOf(a: Region, b: Region): number {
  const [p, q] = [a.box, b.box];
  if (!p || !q || p.start.some((start, axis) => start >= q.stop[axis] || q.start[axis] >= p.stop[axis])) return 0;
  const common = commonPixels(a.mask, b.mask);
  return common / (a.area_px + b.area_px - common);
}

/** Each region with the one of the other run that it overlaps most, the largest overlaps first; each is used once. */
export function matchRegions(first: Region[], second: Region[]): Pair[] {
  const all = first.flatMap((a) => second.map((b) => ({ first: a, second: b, overlap: overlapOf(a, b) })));
  const near = all.filter(({ overlap }) => overlap >= LEAST).sort((a, b) => b.overlap - a.overlap);
  const used = new Set<Region>();
  const pairs: Pair[] = [];
  for (const pair of near) {
    if (used.has(pair.first) || used.has(pair.second)) continue;
    used.add(pair.first).add(pair.second);
    pairs.push(pair);
  }
  pairs.sort((a, b) => (a.first?.number ?? 0) - (b.first?.number ?? 0));
  const alone = (regions: Region[]) => regions.filter((region) => !used.has(region));
  return [
    ...pairs,
    ...alone(first).map((region) => ({ first: region, second: null, overlap: 0 })),
    ...alone(second).map((region) => ({ first: null, second: region, overlap: 0 })),
  ];
}

/** The share of pixels in a region of either run that are in one of both: intersection over union of everything found. */
export function overlapOfAll(first: Region[], second: Region[]): number | null {
  const [a, b] = [first, second].map((regions) => unionOf(regions.map((region) => runEnds(region.mask))));
  const common = lengthOf(bothOf(a, b));
  const whole = lengthOf(a) + lengthOf(b) - common;
  return whole ? common / whole : null;
}

function bothOf(a: [number, number][], b: [number, number][]): [number, number][] {
  const result: [number, number][] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; a[i][1] < b[j][1] ? i++ : j++) {
    result.push([Math.max(a[i][0], b[j][0]), Math.min(a[i][1], b[j][1])]);
  }
  return result;
}

const lengthOf = (parts: [number, number][]) => parts.reduce((sum, [start, stop]) => sum + Math.max(0, stop - start), 0);

/** From where to where something is inside, in order and apart from each other. */
function unionOf(masks: Float64Array[]): [number, number][] {
  const parts = masks.flatMap((ends) => Array.from({ length: ends.length >> 1 }, (_, at): [number, number] => [ends[2 * at], ends[2 * at + 1]]));
  parts.sort((a, b) => a[0] - b[0]);
  const result: [number, number][] = [];
  for (const [start, stop] of parts) {
    const last = result[result.length - 1];
    if (last && start <= last[1]) last[1] = Math.max(last[1], stop);
    else result.push([start, stop]);
  }
  return result;
}

/** What differs between two runs, as rows of texts: a name, and what each run has. */
export function differencesOf(first: ViewDocument, second: ViewDocument): [string, string, string][] {
  const [a, b] = [first, second].map(factsOf);
  const facts = a.map(([name, text], place): [string, string, string] => [name, text, b[place][1]]);
  return [...facts.filter(([, one, other]) => one !== other), ...settingsOf(first.recipe, second.recipe, "")];
}

function factsOf(view: ViewDocument): [string, string][] {
  const [state] = view.tracks[0].states;
  const predicted = view.labels.map((label, at) => [label, at] as const).filter(([label]) => state.predicted.includes(label.index));
  return [
    ["image", `${baseName(view.source.name)}, ${view.source.sha256.slice(0, 8)}`],
    ["classifier", view.classifier.name],
    ["weights", view.classifier.fingerprint.slice(0, 12)],
    ["predicted", predicted.map(([label, at]) => `${label.name} ${percent(state.probabilities[at])}`).join(", ") || "nothing"],
    ["seed", String(view.seed)],
    ["regions", String(view.regions.length)],
    ["stopped", view.tracks.map((track) => track.stop.text).join("; ")],
  ];
}

type Table = Record<string, unknown>;
const isTable = (value: unknown): value is Table => typeof value === "object" && value !== null && !Array.isArray(value);

/** Settings that differ, by their places in the recipe; values of different kinds are rows as a whole. */
function settingsOf(a: unknown, b: unknown, place: string): [string, string, string][] {
  if (isTable(a) && isTable(b) && a.kind === b.kind) {
    const names = [...new Set([...Object.keys(a), ...Object.keys(b)])];
    return names.flatMap((name) => settingsOf(a[name], b[name], place ? `${place}.${name}` : name));
  }
  const [one, other] = [sayValue(a), sayValue(b)];
  return one === other ? [] : [[place === "name" ? "recipe" : place, one, other]];
}

/** A value as it is written in Python: `SoftEdge(fill=Blur(sigma_px=16), width_px=4)`. */
function sayValue(value: unknown): string {
  if (value === undefined || value === null) return "none";
  if (Array.isArray(value)) return `[${value.map(sayValue).join(", ")}]`;
  if (!isTable(value)) return typeof value === "boolean" ? (value ? "yes" : "no") : String(value);
  const { kind, ...rest } = value;
  return `${kind ?? ""}(${Object.entries(rest).map(([name, part]) => `${name}=${sayValue(part)}`).join(", ")})`;
}

/** The second view with the colors that the first one has for the same names. */
export function recolor(first: ViewDocument, second: ViewDocument): ViewDocument {
  const colors = new Map<string, number>();
  for (const { name, color } of [...first.labels].reverse()) colors.set(name, color);
  for (const { name, color } of [...first.targets].reverse()) colors.set(name, color);
  let next = Math.max(-1, ...colors.values()) + 1;
  const colored = <T extends { name: string; color: number }>(one: T): T => {
    if (!colors.has(one.name)) colors.set(one.name, next++);
    return { ...one, color: colors.get(one.name) ?? one.color };
  };
  return { ...second, targets: second.targets.map(colored), labels: second.labels.map(colored) };
}
