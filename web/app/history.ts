// The runs so far, newest first.
import { signal } from "@preact/signals-core";
import { html, nothing } from "lit-html";
import { previewPath } from "./api";
import { icon } from "./icons";
import type { Store } from "./store";
import type { Job } from "./types";
import { STATE_NAMES, plural, progressOf, timeText } from "./words";

/** The run that somebody is asked about before it is deleted. */
const asked = signal<string | null>(null);

export function historyView(store: Store) {
  const jobs = store.jobs.value;
  return html`
    <section class="card history" aria-label="Runs">
      <h2>Runs</h2>
      ${jobs.length ? html`<ul>${jobs.map((job) => itemView(store, job))}</ul>` : html`<p class="quiet">None yet</p>`}
      ${store.hasOlder.value ? html`<button class="quiet" @click=${() => void store.attempt(() => store.loadOlder())}>Older runs</button>` : nothing}
    </section>`;
}

function itemView(store: Store, job: Job) {
  const isCurrent = store.current.value === job.id;
  const { share } = progressOf(job, store.progress.value[job.id]);
  return html`<li class=${isCurrent ? "current" : ""}>
    <button class="run" aria-current=${isCurrent ? "true" : "false"} @click=${() => store.open(job.id)}>
      <img src=${previewPath(job.image)} alt="" loading="lazy" decoding="async">
      <span class="name">${job.image_name}</span>
      <span class="quiet what">${job.model}, ${job.recipe}${job.target ? `, ${job.target}` : ""}</span>
      <span class="state ${job.state}">${STATE_NAMES[job.state]}${job.rounds ? html`, ${plural(job.rounds, "round")}` : nothing}<span class="quiet">${timeText(job.created)}</span></span>
      ${job.state === "running" ? html`<progress max="1" .value=${share ?? 0} aria-label="Progress of ${job.image_name}"></progress>` : nothing}
    </button>
    ${asked.value === job.id
      ? html`<span class="ask" role="group" aria-label="Delete this run?"><button class="danger" @click=${() => remove(store, job.id)}>Delete</button>
          <button @click=${() => (asked.value = null)}>Keep</button></span>`
      : html`<button class="icon delete" aria-label="Delete the run of ${job.image_name}" title="Delete" @click=${() => (asked.value = job.id)}>${icon("trash")}</button>`}
  </li>`;
}

function remove(store: Store, id: string): void {
  asked.value = null;
  void store.attempt(() => store.remove(id));
}
