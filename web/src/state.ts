// The state of a viewer: signals, and what follows from them.
import { type ReadonlySignal, type Signal, computed, signal } from "@preact/signals-core";
import type { Region, Round } from "./document";
import type { Frame } from "./frame";
import { Scene } from "./scene";
import type { Shape } from "./shapes";

export type Layer = "original" | "saliency" | "model" | "difference";
export type SortKey = "number" | "round" | "label" | "verdict" | "drop" | "probability" | "stability" | "area" | "suspicion";

/** What two viewers side by side share. `zoom` is relative to the whole image; `x`, `y` are shares of it at the center. */
export interface Camera {
  zoom: number;
  x: number;
  y: number;
}

/** Something that is drawn over the image and its contours; a new one is drawn when the signal that holds it changes. */
export interface Overlay {
  draw(context: CanvasRenderingContext2D, frame: Frame): void;
}

export const WHOLE: Camera = { zoom: 1, x: 0.5, y: 0.5 };

export interface Shared {
  camera: Signal<Camera>;
  /** Shares of the range of values; null for the window of the view. */
  window: Signal<[number, number] | null>;
  invert: Signal<boolean>;
  windowTool: Signal<boolean>;
  /** 0 shows the regions of all rounds. */
  round: Signal<number>;
  layer: Signal<Layer>;
  threshold: Signal<number>;
  opacity: Signal<number>;
  hidden: Signal<boolean>;
  logOdds: Signal<boolean>;
  /** What the live region says. */
  said: Signal<string>;
  /** Where the pointer is, as shares of the image, and over whose. */
  cursor: Signal<{ from: State; x: number; y: number } | null>;
  /** The point through which the planes of volumes go, in voxels of the source; null for the middle. */
  point: Signal<number[] | null>;
  /** The axis that keys move this point along. */
  axis: Signal<number>;
  /** The numbers of rounds of all runs. */
  counts: ReadonlySignal<number>[];
}

export function makeShared(): Shared {
  return {
    camera: signal(WHOLE),
    window: signal(null),
    invert: signal(false),
    windowTool: signal(false),
    round: signal(0),
    layer: signal<Layer>("original"),
    threshold: signal(0.2),
    opacity: signal(0.75),
    hidden: signal(false),
    logOdds: signal(false),
    said: signal(""),
    cursor: signal(null),
    point: signal(null),
    axis: signal(0),
    counts: [],
  };
}

export class State {
  readonly track = signal(0);
  readonly hovered = signal<string | null>(null);
  readonly pinned = signal<string | null>(null);
  readonly hoveredLabel = signal<number | null>(null);
  readonly sort = signal<{ key: SortKey; down: boolean }>({ key: "number", down: false });
  /** Why something can't be drawn. */
  readonly problem = signal("");
  /** Regions of another run, to be drawn as well. */
  readonly companions = signal<Shape[]>([]);
  /** The region in the place of one of another run that is pointed at or chosen. */
  readonly echo = signal<string | null>(null);

  readonly rounds = computed<Round[]>(() => this.scene.rounds(this.track.value));
  /** 0 shows the regions of all rounds; a run with fewer rounds than another stays at its last one. */
  readonly round = computed(() => Math.min(this.shared.round.value, this.rounds.value.length));
  /** The label of the same name as one that is pointed at in another run. */
  readonly labelEcho = signal<number | null>(null);
  /** What else is drawn on the stage, such as strokes of a brush. */
  readonly overlay = signal<Overlay | null>(null);
  /** What a tool outside of the viewer does with the left button: draws, or picks regions. */
  readonly tool = signal<"draws" | "picks" | null>(null);
  /** The regions whose verdicts and scores aren't shown; null where all are. */
  readonly blind = signal<((region: Region) => boolean) | null>(null);
  /** Whether there is a region whose verdict isn't shown. */
  readonly hasBlind = computed(() => this.regions.some((region) => this.isBlind(region)));
  private readonly sceneNow: Signal<Scene>;
  readonly activeLabel = computed(() => this.hoveredLabel.value ?? this.labelEcho.value);
  readonly active = computed(() => this.hovered.value ?? this.echo.value ?? this.pinned.value);
  readonly activeRegion = computed(() => this.regions.find((one) => one.id === this.active.value) ?? null);
  /** The round whose map and image are shown: the first one while all are. */
  readonly shownRound = computed(() => this.round.value || this.activeRegion.value?.round || 1);
  readonly shownTarget = computed(() => this.activeRegion.value?.target ?? null);

  constructor(scene: Scene, readonly shared: Shared) {
    this.sceneNow = signal(scene);
    shared.counts.push(computed(() => this.rounds.value.length));
  }

  /** What is shown. Another scene of the same run, with more rounds, can take its place: what was chosen stays so. */
  get scene(): Scene {
    return this.sceneNow.value;
  }

  set scene(scene: Scene) {
    this.sceneNow.value = scene;
  }

  get layer(): Signal<Layer> {
    return this.shared.layer;
  }

  get hidden(): Signal<boolean> {
    return this.shared.hidden;
  }

  get opacity(): Signal<number> {
    return this.shared.opacity;
  }

  get threshold(): Signal<number> {
    return this.shared.threshold;
  }

  get windowTool(): Signal<boolean> {
    return this.shared.windowTool;
  }

  /** The number of rounds of the run that has most. */
  get mostRounds(): number {
    return Math.max(0, ...this.shared.counts.map((count) => count.value));
  }

  get regions(): Region[] {
    return this.scene.view.regions;
  }

  /** Whether a region is drawn: those of the track, up to the round. */
  isVisible(region: Region): boolean {
    return region.track === this.track.value && (this.round.value === 0 || region.round <= this.round.value);
  }

  /** Whether a region is drawn strongly. */
  isCurrent(region: Region): boolean {
    return this.round.value === 0 || region.round === this.round.value;
  }

  /** Whether a region is pointed at, chosen, or one of a label that is pointed at. */
  isMarked(region: Region): boolean {
    const label = this.activeLabel.value;
    if (label !== null) return this.scene.view.targets[region.target]?.class_index === label;
    return region.id === this.active.value;
  }

  /** Whether the verdict and the scores of a region aren't shown. */
  isBlind(region: Region): boolean {
    return this.blind.value?.(region) ?? false;
  }

  /** The verdict of a region where it is shown. */
  verdictOf(region: Region) {
    return this.isBlind(region) ? null : (region.trust?.verdict ?? null);
  }

  /** The number of a region's color. */
  colorOf(region: Region): number {
    return this.scene.view.targets[region.target]?.color ?? 0;
  }

  setRound(round: number): void {
    const most = this.mostRounds;
    const now = Math.min(Math.max(round, 0), most);
    this.shared.round.value = now;
    this.say(now ? `Round ${now} of ${most}. ${this.describeRound()}` : "All rounds");
  }

  setTrack(track: number): void {
    this.track.value = track;
    this.shared.round.value = Math.min(this.shared.round.value, this.mostRounds);
    this.pinned.value = null;
  }

  pin(id: string | null): void {
    this.pinned.value = id;
    const region = this.regions.find((one) => one.id === id);
    if (!region) return;
    if (region.track !== this.track.value) this.track.value = region.track;
    if (this.round.value && region.round !== this.round.value) this.shared.round.value = region.round;
    this.say(this.describe(region));
  }

  /** Pin the next region in the order of the table; -1 for the one before. */
  step(order: Region[], by: number): void {
    if (!order.length) return;
    const at = order.findIndex((one) => one.id === this.pinned.value);
    const next = at < 0 ? (by > 0 ? 0 : order.length - 1) : (at + by + order.length) % order.length;
    this.pin(order[next].id);
  }

  labelOf(region: Region): string {
    const target = this.scene.view.targets[region.target]?.name ?? "";
    return region.other_label && !this.isBlind(region) ? `${target} \u2192 ${region.other_label.name}` : target;
  }

  say(text: string): void {
    this.shared.said.value = text;
  }

  /** What is shown, in words. */
  describeShown(): string {
    const shown = this.regions.filter((region) => this.isVisible(region) && this.isCurrent(region)).length;
    const round = this.round.value ? `round ${this.round.value} of ${this.rounds.value.length}` : "all rounds";
    return `${shown} region${shown === 1 ? "" : "s"}, ${round}`;
  }

  private describe(region: Region): string {
    const label = this.labelOf(region);
    return this.isBlind(region) ? `Region ${region.number}, ${label}, not judged yet` : describe(region, label);
  }

  private describeRound(): string {
    const own = this.regions.filter((one) => one.track === this.track.value && one.round === this.round.value);
    return own.map((one) => this.describe(one)).join(". ") || "No region";
  }
}

/** A region in words, for those who don't see it. */
export function describe(region: Region, label: string): string {
  const verdict = region.trust?.verdict ?? "no trust card";
  const drop = `drop ${region.drop < 0 ? "minus " : ""}${Math.abs(region.drop).toFixed(2)}`;
  const against = region.opposes ? ", speaks against its target" : "";
  return `Region ${region.number}, ${label}, ${verdict}, ${drop}${against}`;
}
