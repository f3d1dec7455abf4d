// The run that is shown: what it does, stop and go on, and what can be saved of it.
import { html, nothing } from "lit-html";
import { exportPath } from "./api";
import { icon } from "./icons";
import type { Store } from "./store";
import type { Job } from "./types";
import { STATE_NAMES, plural, progressOf } from "./words";

const MORE = 3; // rounds that one press adds
const EXPORTS: [string, string, string][] = [
  ["record.zip", "Record", "everything, to be read by unveil"],
  ["figure.png", "Figure", "all rounds as one picture"],
  ["report.html", "Report", "a page of its own, readable offline"],
  ["regions.csv", "Table of regions", "CSV"],
  ["masks.zip", "Masks", "PNG or NIfTI files"],
  ["coco.json", "COCO", "annotations with run lengths"],
  ["review.csv", "Judgments", "CSV"],
];

export function statusView(store: Store, job: Job) {
  const isOver = job.state !== "running" && job.state !== "queued";
  return html`
    <section class="card status" aria-label="This run">
      <div class="head"><span class="state ${job.state}">${STATE_NAMES[job.state]}</span>
        <span class="quiet">${job.rounds ? plural(job.rounds, "round") : ""}</span>
        ${isOver && (job.rounds || job.state === "finished") ? exportView(job) : nothing}</div>
      ${isOver ? overView(store, job) : activeView(store, job)}
    </section>`;
}

function activeView(store: Store, job: Job) {
  const { text, share } = progressOf(job, store.progress.value[job.id]);
  const before = store.jobs.value.filter((one) => (one.state === "queued" || one.state === "running") && one.created < job.created).length;
  const words = job.state === "queued" && before ? `Waits for ${plural(before, "run")} before it` : text;
  return html`<p role="status">${words}</p>
    <progress max="1" .value=${share ?? 0} class=${share === null ? "unknown" : ""} aria-label="Progress"></progress>
    <button class="stop" ?disabled=${job.stopping === true} @click=${() => void store.attempt(() => store.stop(job.id))}>${icon("stop")}Stop</button>`;
}

function overView(store: Store, job: Job) {
  const text = job.state === "failed" ? (job.message ?? "No reason is known") : job.message;
  return html`${text ? html`<p class=${job.state === "failed" ? "why" : "quiet"} role=${job.state === "failed" ? "alert" : nothing}>${text}</p>` : nothing}
    ${job.can_continue ? html`<div class="on">${job.state === "stopped" ? html`<button @click=${() => goOn(store, job, 0)}>${icon("more")}Go on</button>` : nothing}
      <button @click=${() => goOn(store, job, MORE)}>${icon("plus")}${MORE} more rounds</button></div>` : nothing}`;
}

/** More rounds than the recipe would do; 0: as many as it does. */
const goOn = (store: Store, job: Job, rounds: number) => void store.attempt(() => store.goOn(job.id, rounds));

function exportView(job: Job) {
  const close = (event: Event) => {
    const menu = (event.currentTarget as HTMLElement).closest("details");
    if (menu) menu.open = false;
  };
  const leave = (event: FocusEvent) => {
    const menu = event.currentTarget as HTMLDetailsElement;
    if (event.relatedTarget && !menu.contains(event.relatedTarget as Node)) menu.open = false;
  };
  const press = (event: KeyboardEvent) => {
    const menu = event.currentTarget as HTMLDetailsElement;
    if (event.key !== "Escape" || !menu.open) return;
    event.stopPropagation();
    menu.open = false;
    menu.querySelector("summary")?.focus();
  };
  return html`<details class="menu" @focusout=${leave} @keydown=${press}><summary>${icon("save")}Export</summary>
    <ul>${EXPORTS.map(([file, name, text]) => html`<li><a href=${exportPath(job.id, file)} download @click=${close}><b>${name}</b><span class="quiet">${text}</span></a></li>`)}</ul></details>`;
}
