// What if: the tools of the brush, the question, and the answers.
import { signal } from "@preact/signals-core";
import { html, nothing } from "lit-html";
import type { SingleView } from "../src/single";
import { percent, signed } from "../src/scales";
import { getJson, jobPath, sendJson } from "./api";
import type { Brush, Tool } from "./brush";
import { icon } from "./icons";
import type { Store } from "./store";
import type { LabelChange, On, Stroke, WhatIf, WhatIfEntry } from "./types";
import { pText, plural } from "./words";

const TOOLS: [Tool, string, string][] = [
  ["move", "Move and choose", "V"],
  ["brush", "Brush", "B"],
  ["eraser", "Eraser", "E"],
  ["lasso", "Lasso", "L"],
  ["region", "Hide regions", "R"],
];
const MOST_LABELS = 8;

export class WhatIfs {
  readonly entries = signal<WhatIfEntry[]>([]);
  readonly shown = signal<number | null>(null);
  readonly on = signal<On>("original");
  readonly isAsking = signal(false);
  private job = "";

  constructor(private readonly store: Store, readonly brush: Brush) {
    store.listeners.push((event) => {
      if (event.kind === "what_if" && event.data.job === this.job) void store.attempt(() => this.renew(Number(event.data.number)));
    });
  }

  load(job: string): void {
    this.job = job;
    this.brush.strokes.load(job);
    [this.entries.value, this.shown.value] = [[], null];
    if (job) void this.store.attempt(() => this.loadAll(job));
  }

  private async loadAll(job: string): Promise<void> {
    const found = await getJson<WhatIfEntry[]>(jobPath(job, "/what-ifs"));
    if (job === this.job) this.entries.value = [...found].sort((a, b) => b.number - a.number);
  }

  private async renew(number: number): Promise<void> {
    const job = this.job;
    const entry = await getJson<WhatIfEntry>(jobPath(job, `/what-ifs/${number}`));
    if (job === this.job) this.put(entry);
  }

  private put(entry: WhatIfEntry): void {
    this.entries.value = [...this.entries.value.filter((one) => one.number !== entry.number), entry].sort((a, b) => b.number - a.number);
  }

  async ask(): Promise<void> {
    const strokes = this.brush.strokes.list.value;
    const job = this.job;
    if (this.isAsking.value || !job) return;
    if (!strokes.length) return this.store.say("Draw over something first, or choose a region and press R");
    this.isAsking.value = true;
    await this.store.attempt(async () => {
      const entry = await sendJson<WhatIfEntry>("POST", jobPath(job, "/what-ifs"), { drawing: { strokes }, on: this.on.value });
      if (job !== this.job) return;
      const known = this.entries.value.find((one) => one.number === entry.number);
      if (!known) this.put(entry); // else its test came first
      this.shown.value = entry.number;
    });
    this.isAsking.value = false;
  }

  /** Show an earlier question again: its drawing, and its answer. */
  recall(entry: WhatIfEntry): void {
    this.shown.value = entry.number;
    this.on.value = entry.what_if.on;
    this.brush.strokes.replace(entry.what_if.drawing.strokes);
  }
}

/** The tools below the image. */
export function toolsView(whatIfs: WhatIfs, single: SingleView) {
  const { brush } = whatIfs;
  const { strokes, tool } = brush;
  if (single.state.scene.isVolume) return html`<p class="quiet">Drawings are for images with two axes.</p>`;
  const sized = tool.value === "brush" || tool.value === "eraser";
  return html`
    <div class="group segmented" role="group" aria-label="Tool">${TOOLS.map(([name, text, key]) => html`
      <button class="icon" aria-pressed=${tool.value === name} aria-label=${text} title="${text} (${key})" @click=${() => (tool.value = name)}>${icon(name)}</button>`)}</div>
    <label class="size ${sized ? "" : "off"}" title="Size ([ and ])">Size
      <input type="range" min="0" max="8" step="1" aria-label="Size of the brush" aria-valuetext="${brush.width} px" .value=${String(brush.size.value)} ?disabled=${!sized}
        @input=${(event: Event) => brush.resize(Number((event.target as HTMLInputElement).value) - brush.size.value)}></label>
    <div class="group">
      <button class="icon" aria-label="Undo" title="Undo (Ctrl+Z)" ?disabled=${!strokes.undos.value} @click=${() => strokes.undo()}>${icon("undo")}</button>
      <button class="icon" aria-label="Redo" title="Redo (Ctrl+Y)" ?disabled=${!strokes.redos.value} @click=${() => strokes.redo()}>${icon("redo")}</button>
      <button class="quiet" ?disabled=${!strokes.list.value.length} @click=${() => strokes.replace([])}>Clear</button></div>
    <button class="primary ask" title="Ask (Enter)" ?disabled=${!strokes.list.value.length || whatIfs.isAsking.value} @click=${() => void whatIfs.ask()}>${whatIfs.isAsking.value ? "Asking \u2026" : "Ask"}</button>`;
}

/** The answers. */
export function answersView(whatIfs: WhatIfs, hasBlind: boolean) {
  const entries = whatIfs.entries.value;
  const shown = entries.find((one) => one.number === whatIfs.shown.value);
  const ons: [On, string][] = [["original", "the image"], ["erased", "what is left of it"]];
  return html`
    <div class="from"><span class="quiet">Hide it in</span><div class="group segmented text" role="group" aria-label="Hide it in">${ons.map(([name, text]) => html`
      <button aria-pressed=${whatIfs.on.value === name} @click=${() => (whatIfs.on.value = name)}>${text}</button>`)}</div></div>
    ${hasBlind ? html`<p class="quiet">Answers are shown once all regions are judged, because they are scores.</p>` : html`
    ${shown ? answerView(shown) : html`<p class="quiet">Draw over a part of the image and ask: what is drawn over is hidden as the recipe hides regions, and every label is predicted again.</p>`}
    ${entries.length ? html`<h3>Asked before</h3><ol class="asked" reversed>${entries.map((entry) => html`<li>
      <button aria-current=${entry === shown ? "true" : "false"} @click=${() => whatIfs.recall(entry)}><b>${entry.number}</b>
        <span>${strokesText(entry.what_if.drawing.strokes)}</span><span class="number">${signed(changeOf(entry.what_if))}</span><span class="quiet p">${pOf(entry)}</span></button></li>`)}</ol>` : nothing}`}`;
}

/** The change of the target's score. */
const changeOf = ({ score_before, score_after }: WhatIf) => score_after - score_before;

const isTesting = ({ testing, what_if }: WhatIfEntry) => testing === true && what_if.placements === null;

function strokesText(strokes: readonly Stroke[]): string {
  const regions = strokes.filter((one) => one.kind === "region");
  if (regions.length === strokes.length && regions.length < 4) return `region ${regions.map((one) => one.region).join(", ")}`;
  return plural(strokes.length, "stroke");
}

function pOf(entry: WhatIfEntry): string {
  const { what_if } = entry;
  return isTesting(entry) ? "testing \u2026" : what_if.p_value === null ? "no p" : pText(what_if.p_value);
}

function answerView(entry: WhatIfEntry) {
  const { what_if } = entry;
  const labels = what_if.labels.slice(0, MOST_LABELS);
  return html`
    <div class="answer" role="group" aria-label="Answer ${entry.number}">
      <p class="sum"><strong>${signed(changeOf(what_if))}</strong> logits for <strong>${what_if.target}</strong>
        <span class="quiet">${percent(what_if.area_share)} of the image hidden</span></p>
      <p class="null" aria-live="polite">${nullView(entry)}</p>
      <table class="changes"><thead><tr><th scope="col">Label</th><th scope="col">before</th><th scope="col">after</th><th scope="col">logits</th></tr></thead>
        <tbody>${labels.map((label) => changeView(label, what_if))}</tbody></table>
    </div>`;
}

function changeView(label: LabelChange, { target }: WhatIf) {
  const change = label.score_after - label.score_before;
  return html`<tr class=${label.name === target ? "target" : ""}><th scope="row">${label.name}</th><td>${percent(label.before)}</td><td>${percent(label.after)}</td>
    <td class=${change < 0 ? "down" : "up"}>${signed(change)}</td></tr>`;
}

/** How unusual the change is: the same shape at other places. */
function nullView(entry: WhatIfEntry) {
  const { what_if } = entry;
  if (isTesting(entry)) return html`<span class="quiet">Hiding the same shape at other places to compare \u2026</span>`;
  const { exceeding, placements, p_value } = what_if;
  if (p_value === null || placements === null) return html`${what_if.notes?.[0] ?? "It wasn\u2019t compared with other places"}`;
  const share = exceeding === 0 ? `None of ${placements} other places lowers the score as much` : `${exceeding} of ${placements} other places ${exceeding === 1 ? "lowers" : "lower"} the score as much`;
  return html`${share}: <strong>${pText(p_value)}</strong>`;
}
