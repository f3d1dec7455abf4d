// Judging: a person's answer to each region, kept beside the record; blind, with verdicts and scores hidden until then.
import { type ReadonlySignal, computed, effect, signal, untracked } from "@preact/signals-core";
import type { Region } from "../src/document";
import type { SingleView } from "../src/single";
import { getJson, jobPath, sendJson } from "./api";
import { keep, recall } from "./kept";
import type { Store } from "./store";
import type { Answer, Judgment, Review } from "./types";

export const MOST_NOTE = 2000; // characters

export class Judging {
  readonly review = signal<Review | null>(null);
  readonly blind = signal(recall("blind", false));
  /** A note that is written before the answer is given, by region. */
  readonly notes = signal<Record<string, string>>({});
  readonly regions = computed<Region[]>(() => this.single.value?.state.regions ?? []);
  readonly judged = computed(() => this.regions.value.filter((region) => this.of(region.id)).length);
  /** Judgments are kept beside a record, so a run has to be over. */
  readonly isReady = computed(() => {
    const job = this.store.job.value;
    return job !== null && (job.state === "finished" || job.state === "stopped") && this.regions.value.length > 0 && this.review.value !== null;
  });
  private job = "";
  private saving: Promise<void> = Promise.resolve();
  private waiting = 0;

  constructor(private readonly store: Store, private readonly single: ReadonlySignal<SingleView | null>) {
    effect(() => {
      const state = single.value?.state;
      const [blind, review] = [this.blind.value, this.review.value];
      if (state) state.blind.value = blind ? (region) => review?.judgments[region.id] === undefined : null;
    });
    effect(() => {
      const job = store.job.value;
      const isOver = job?.state === "finished" || job?.state === "stopped";
      const version = job?.version; // a run that went on has another record
      if (job && isOver && version !== undefined) untracked(() => void store.attempt(() => this.load(job.id)));
    });
  }

  /** Another run is shown. */
  reset(): void {
    this.job = "";
    this.review.value = null;
    this.notes.value = {};
  }

  private async load(job: string): Promise<void> {
    this.job = job;
    const found = await getJson<Review>(jobPath(job, "/review"));
    if (this.store.current.value === job) this.review.value = found;
  }

  of(region: string): Judgment | undefined {
    return this.review.value?.judgments[region];
  }

  noteOf(region: string): string {
    return this.notes.value[region] ?? this.of(region)?.note ?? "";
  }

  setBlind(blind: boolean): void {
    this.blind.value = blind;
    keep("blind", blind);
  }

  async setReviewer(reviewer: string): Promise<void> {
    keep("reviewer", reviewer);
    const { review, job } = this;
    if (!review.value) return;
    await this.store.attempt(async () => {
      review.value = await sendJson<Review>("PUT", jobPath(job, "/review"), { reviewer, judgments: review.value?.judgments ?? {} });
    });
  }

  /** The region to be judged: the chosen one, or the next that isn't judged. */
  region(): Region | null {
    const pinned = this.single.value?.state.pinned.value;
    return this.regions.value.find((region) => region.id === pinned) ?? null;
  }

  next(after: Region | null): Region | null {
    const { regions } = this;
    const open = regions.value.filter((region) => !this.of(region.id) && region.id !== after?.id);
    return open.find((region) => region.number > (after?.number ?? 0)) ?? open[0] ?? null;
  }

  /** Answer for the chosen region, and go to the next that isn't judged; without a chosen one, only choose. */
  async answer(answer: Answer): Promise<void> {
    const state = this.single.value?.state;
    if (!state || !this.isReady.value) return this.store.say("Regions can be judged once the run is over");
    const region = this.region();
    if (!region) return state.pin(this.next(null)?.id ?? null);
    const note = this.noteOf(region.id).slice(0, MOST_NOTE);
    const known = this.of(region.id);
    const blind = state.isBlind(region) || (known?.blind === true && known.answer === answer);
    const saved = this.save(region.id, answer, note, blind);
    const next = known ? null : this.next(region);
    if (next) state.pin(next.id);
    const left = this.regions.value.length - this.judged.value;
    const said = `Region ${region.number}: ${answer}.`;
    state.say(next ? `${said} ${left} left, next is region ${next.number}, ${state.labelOf(next)}` : left ? `${said} ${left} left` : `${said} All are judged`);
    await saved;
  }

  /** Keep a note: with the answer if there is one, else until there is. */
  async setNote(region: string, note: string): Promise<void> {
    this.notes.value = { ...this.notes.value, [region]: note };
    const known = this.of(region);
    if (known && known.note !== note) await this.save(region, known.answer, note, known.blind);
  }

  /** Shown at once, so that the next key is for the next region; then saved, one after the other. */
  private save(region: string, answer: Answer, note: string, blind: boolean): Promise<void> {
    const { job, review } = this;
    if (review.value) review.value = { ...review.value, judgments: { ...review.value.judgments, [region]: { answer, note, blind, time_s: Date.now() / 1000 } } };
    this.waiting++;
    this.saving = this.saving.then(async () => {
      const ok = await this.store.attempt(async () => {
        const saved = await sendJson<Review>("PATCH", jobPath(job, `/review/${encodeURIComponent(region)}`), { answer, note, blind });
        if (this.waiting > 1 || this.job !== job) return; // those that wait aren't in it yet
        review.value = saved;
        if (!saved.reviewer && recall("reviewer", "")) void this.setReviewer(recall("reviewer", ""));
      });
      this.waiting--;
      if (!ok && this.job === job) await this.store.attempt(() => this.load(job)); // what was kept
    });
    return this.saving;
  }
}
