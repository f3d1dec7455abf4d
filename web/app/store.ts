// The state of the page, and what changes it: the session, the images, the runs, and the one that is shown.
import { batch, computed, signal } from "@preact/signals-core";
import { ApiError, getIfNewer, getJson, jobPath, sendJson } from "./api";
import { type Connection, type ServerEvent, Events } from "./events";
import type { Job, Progress, Session, StoredImage } from "./types";

const SHOWN = 6000; // ms that a notice stays
const PAGE = 30; // runs that are listed at a time

export interface Notice {
  text: string;
  bad: boolean;
}

export class Store {
  readonly session = signal<Session | null>(null);
  readonly images = signal<StoredImage[] | null>(null);
  readonly jobs = signal<Job[]>([]);
  readonly hasOlder = signal(false);
  readonly connection = signal<Connection>("live");
  readonly notice = signal<Notice | null>(null);
  /** The run that is shown; null for a new one. */
  readonly current = signal<string | null>(null);
  readonly progress = signal<Record<string, Progress>>({});
  readonly job = computed(() => this.jobs.value.find((job) => job.id === this.current.value) ?? null);
  readonly image = computed(() => this.images.value?.find((image) => image.id === this.job.value?.image) ?? null);
  /** The view document of the run that is shown, as text. */
  readonly view = signal<{ job: string; text: string } | null>(null);
  /** What else wants to know of events. */
  readonly listeners: ((event: ServerEvent) => void)[] = [];
  private etag = "";
  private loading: Promise<void> | null = null;
  private again = false;

  /** Load what the page begins with, and follow the server. */
  async begin(): Promise<void> {
    await this.attempt(async () => {
      const [session] = await Promise.all([getJson<Session>("/api/session"), this.loadImages(), this.loadJobs()]);
      this.session.value = session;
      new Events(session.last_event ?? 0, (event) => this.take(event), (state) => this.connect(state));
      await this.loadCurrent();
    });
  }

  /** Do something that may be refused, and say why. */
  async attempt(task: () => Promise<void>): Promise<boolean> {
    try {
      await task();
      return true;
    } catch (error) {
      this.refuse(error);
      return false;
    }
  }

  refuse(error: unknown): void {
    if (error instanceof ApiError && error.status === 0) this.connection.value = "lost";
    else this.notice.value = { text: error instanceof Error ? error.message : String(error), bad: true };
  }

  /** Say something that goes away by itself. */
  say(text: string): void {
    const notice = { text, bad: false };
    this.notice.value = notice;
    setTimeout(() => this.notice.value === notice && (this.notice.value = null), SHOWN);
  }

  async loadImages(): Promise<void> {
    this.images.value = await getJson<StoredImage[]>("/api/images");
  }

  async loadJobs(): Promise<void> {
    const jobs = await getJson<Job[]>(`/api/jobs?limit=${PAGE}`);
    const known = this.jobs.value.filter((job) => !jobs.some((one) => one.id === job.id) && job.created < (jobs[jobs.length - 1]?.created ?? 0));
    batch(() => {
      this.hasOlder.value = jobs.length === PAGE && (known.length === 0 || this.hasOlder.value);
      this.jobs.value = [...jobs, ...known];
    });
  }

  async loadOlder(): Promise<void> {
    const last = this.jobs.value[this.jobs.value.length - 1];
    const older = await getJson<Job[]>(`/api/jobs?limit=${PAGE}&before=${encodeURIComponent(last.id)}`);
    this.hasOlder.value = older.length === PAGE;
    for (const job of older) this.put(job);
  }

  /** Put what the server says of a run into the list. */
  put(job: Job): void {
    const others = this.jobs.value.filter((one) => one.id !== job.id);
    const known = this.jobs.value.find((one) => one.id === job.id);
    if (known && known.version > job.version) return;
    this.jobs.value = [...others, job].sort((a, b) => b.created - a.created);
  }

  open(job: string | null): void {
    if (this.current.value === job) return;
    batch(() => {
      this.current.value = job;
      this.view.value = null;
      this.etag = "";
    });
    void this.attempt(() => this.loadCurrent());
  }

  private async loadCurrent(): Promise<void> {
    const id = this.current.value;
    if (!id) return;
    if (!this.job.value) this.put(await getJson<Job>(jobPath(id)));
    await this.loadView();
  }

  /** Get the view if it is another one by now; a call during a call makes one more follow. */
  async loadView(): Promise<void> {
    if (this.loading) {
      this.again = true;
      return this.loading;
    }
    this.loading = this.fetchView().finally(() => (this.loading = null));
    await this.loading;
    if (!this.again) return;
    this.again = false;
    await this.loadView();
  }

  private async fetchView(): Promise<void> {
    const id = this.current.value;
    const job = this.job.value;
    if (!id || !job || job.state === "queued" || (job.state === "failed" && job.rounds === 0)) return;
    const found = await getIfNewer(jobPath(id, "/view"), this.etag);
    if (!found || this.current.value !== id) return;
    this.etag = found.etag;
    this.view.value = { job: id, text: found.text };
  }

  private connect(state: Connection): void {
    const was = this.connection.value;
    this.connection.value = state;
    if (was === "lost" && state === "live") void this.attempt(() => this.refresh());
  }

  /** What may have changed while nothing was heard of the server. */
  private async refresh(): Promise<void> {
    const [session] = await Promise.all([getJson<Session>("/api/session"), this.loadImages(), this.loadJobs()]);
    this.session.value = session;
    await this.loadView();
  }

  private take(event: ServerEvent): void {
    const id = String(event.data.job ?? "");
    if (event.kind === "progress") this.progress.value = { ...this.progress.value, [id]: event.data as unknown as Progress };
    else if (event.kind === "deleted") this.forget(id);
    else if (event.kind === "image") void this.attempt(() => this.loadImages());
    else if (event.kind === "model") void this.attempt(async () => void (this.session.value = await getJson<Session>("/api/session")));
    else if (event.kind === "round" || event.kind === "state" || event.kind === "finished") void this.attempt(() => this.follow(id, event));
    for (const listen of this.listeners) listen(event);
  }

  private async follow(id: string, event: ServerEvent): Promise<void> {
    const known = this.jobs.value.find((job) => job.id === id);
    if (known && event.kind === "round") this.put({ ...known, rounds: Math.max(known.rounds, Number(event.data.number)) });
    // The view first: it is what somebody waits for.
    const view = id === this.current.value && event.data.state !== "queued" ? this.loadView() : null;
    this.put(await getJson<Job>(jobPath(id)));
    await view;
    if (id === this.current.value) await this.loadView();
  }

  async submit(request: Pick<Job, "image" | "model" | "recipe" | "settings" | "target" | "seed" | "trust">): Promise<void> {
    const job = await sendJson<Job>("POST", "/api/jobs", request);
    this.put(job);
    this.open(job.id);
  }

  async stop(id: string): Promise<void> {
    this.put(await sendJson<Job>("POST", jobPath(id, "/stop")));
  }

  async goOn(id: string, rounds: number): Promise<void> {
    this.put(await sendJson<Job>("POST", jobPath(id, "/continue"), { rounds }));
  }

  async remove(id: string): Promise<void> {
    await sendJson<null>("DELETE", jobPath(id));
    this.forget(id);
  }

  private forget(id: string): void {
    this.jobs.value = this.jobs.value.filter((job) => job.id !== id);
    if (this.current.value === id) this.open(null);
  }
}
