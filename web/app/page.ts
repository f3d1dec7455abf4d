// The page: the bar on top, and below it either the images and the form, or the run that is shown.
import { signal } from "@preact/signals-core";
import { html, nothing } from "lit-html";
import { previewPath } from "./api";
import type { Bench } from "./bench";
import { type Form, formView } from "./form";
import { historyView } from "./history";
import { icon } from "./icons";
import { judgeBar, judgeView } from "./judgeview";
import type { Judging } from "./judging";
import { imagesView } from "./setup";
import { statusView } from "./status";
import type { Store } from "./store";
import type { Job } from "./types";
import type { Uploads } from "./upload";
import { type WhatIfs, answersView, toolsView } from "./whatif";
import { progressOf } from "./words";

export type Mode = "look" | "whatif" | "judge";

const MODES: [Mode, string][] = [
  ["look", "Look"],
  ["whatif", "What if"],
  ["judge", "Judge"],
];
const NARROW = 940; // px below which what stands beside the image comes below it

export interface Parts {
  store: Store;
  form: Form;
  uploads: Uploads;
  bench: Bench;
  whatIfs: WhatIfs;
  judging: Judging;
  showHelp: () => void;
  showAgreement: () => void;
}

export class Page {
  readonly mode = signal<Mode>("look");
  readonly isNarrow = signal(false);

  constructor(readonly parts: Parts) {
    const query = window.matchMedia(`(max-width: ${NARROW}px)`);
    this.isNarrow.value = query.matches;
    query.addEventListener("change", () => (this.isNarrow.value = query.matches));
  }

  setMode(mode: Mode): void {
    this.mode.value = mode;
    this.parts.whatIfs.brush.isShown.value = mode === "whatif";
    if (mode !== "whatif") this.parts.whatIfs.brush.tool.value = "move";
  }

  view() {
    const { store } = this.parts;
    const { job } = store;
    return html`
      <a class="skip" href="#main" @click=${skip}>Go to the image</a>
      ${this.bar()}
      ${store.connection.value === "lost" ? html`<p class="banner" role="alert">The server doesn\u2019t answer. Trying again; nothing that was saved is lost.</p>` : nothing}
      <main id="main" tabindex="-1" class=${store.current.value ? "work" : "setup"}>${store.current.value ? this.work(job.value) : this.setup()}</main>
      ${this.noticeView()}`;
  }

  private bar() {
    const { bench, store, showHelp, showAgreement } = this.parts;
    const job = bench.single.value === null ? store.job.value : null; // a view has a title of its own
    return html`<header class="bar">
      <span class="brand">unveil</span>
      ${job ? html`<span class="where"><b>${job.image_name}</b><span class="quiet">${job.model}</span></span>` : html`<span class="where"></span>`}
      <nav aria-label="Page">
        ${store.current.value ? html`<button @click=${() => store.open(null)}>${icon("plus")}New run</button>` : nothing}
        <button @click=${showAgreement}>Agreement</button>
        <button class="icon" aria-label="Keys" title="Keys (?)" @click=${showHelp}>${icon("keys")}</button>
      </nav></header>`;
  }

  private setup() {
    const { store, form, uploads } = this.parts;
    return html`<div class="main">${imagesView(store, form, uploads)}</div>
      <aside>${formView(form, store)}${historyView(store)}</aside>`;
  }

  private work(job: Job | null) {
    const { store, bench } = this.parts;
    if (!job) return html`<div class="main"><p class="quiet">Asking the server \u2026</p></div><aside>${historyView(store)}</aside>`;
    const hasView = bench.single.value !== null;
    const status = statusView(store, job);
    return html`<div class="main">${this.isNarrow.value ? status : nothing}${hasView ? bench.element : this.waitView(job)}</div>
      <aside>${this.isNarrow.value ? nothing : status}${hasView && !this.isNarrow.value ? html`<section class="card side">${this.sideView()}</section>` : nothing}${historyView(store)}</aside>`;
  }

  /** What stands below the image, drawn into the bench. */
  toolsView() {
    const { bench, whatIfs, judging } = this.parts;
    const single = bench.single.value;
    if (!single) return nothing;
    const mode = this.mode.value;
    const bar = mode === "whatif" ? toolsView(whatIfs, single) : mode === "judge" ? judgeBar(judging, single) : nothing;
    return html`<div class="toolbar">
        <div class="group segmented text modes" role="group" aria-label="Mode">${MODES.map(([name, text]) => html`
          <button aria-pressed=${mode === name} @click=${() => this.setMode(name)}>${text}</button>`)}</div>
        ${bar}</div>
      ${this.isNarrow.value && mode !== "look" ? html`<section class="card side">${this.sideView()}</section>` : nothing}`;
  }

  private sideView() {
    const { bench, whatIfs, judging } = this.parts;
    const single = bench.single.value;
    if (!single) return nothing;
    const mode = this.mode.value;
    if (mode === "whatif") return html`<h2>What if</h2>${answersView(whatIfs, single.state.hasBlind.value)}`;
    if (mode === "judge") return html`<h2>Judge</h2>${judgeView(judging, single)}`;
    return html`<h2>Next</h2><p class="quiet">Hide something by hand and see what changes: <button class="link" @click=${() => this.setMode("whatif")}>What if</button>.
      Say what you think of each region: <button class="link" @click=${() => this.setMode("judge")}>Judge</button>.</p>`;
  }

  /** Before the first round: the image, and what is being done. */
  private waitView(job: Job) {
    const { store } = this.parts;
    const { text } = progressOf(job, store.progress.value[job.id]);
    const words = job.state === "failed" ? "The run failed" : job.state === "stopped" ? "Stopped before its first round" : job.state === "finished" ? "Opening the run" : text;
    return html`<figure class="wait ${job.state}"><img src=${previewPath(job.image)} alt="The image ${job.image_name}">
      <figcaption><b>${words}</b>${job.state === "running" || job.state === "queued" ? html`<span>The first regions are shown as soon as they are found.</span>` : nothing}</figcaption></figure>`;
  }

  private noticeView() {
    const { notice } = this.parts.store;
    const shown = notice.value;
    return html`<div class="notice ${shown ? "" : "empty"} ${shown?.bad ? "bad" : ""}" role=${shown?.bad ? "alert" : "status"}>
      ${shown ? html`<span>${shown.text}</span><button class="icon" aria-label="Dismiss" @click=${() => (notice.value = null)}>${icon("cross")}</button>` : nothing}</div>`;
  }
}

function skip(event: Event): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}
