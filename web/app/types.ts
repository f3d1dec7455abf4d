// What the server answers, by hand; a test compares these interfaces with its OpenAPI description.

export interface ModelInfo {
  name: string;
  title: string;
  /** Null until the model is loaded. */
  labels: string[] | null;
  label_count: number | null;
  output: string | null;
  grid: number[] | null;
  channels: number | null;
}

export interface RecipeInfo {
  name: string;
  summary: string;
}

export interface Session {
  version: string;
  models: ModelInfo[];
  recipes: RecipeInfo[];
  default_recipe: string;
  limits: { upload_bytes: number; pixels: number; queue: number };
  images: "upload" | "folder";
  last_event?: number;
}

export type Plain = string | number | boolean | null;

export interface Condition {
  key: string;
  value: Plain;
}

export interface FormField {
  key: string;
  title: string;
  help: string;
  type: "integer" | "number" | "boolean" | "choice" | "text";
  value: Plain;
  choices?: string[] | null;
  minimum?: number | null;
  maximum?: number | null;
  unit?: string | null;
  /** Shown only while all of these hold. */
  when?: Condition | Condition[] | null;
}

export interface StoredImage {
  id: string;
  name: string;
  /** Null for an image of a folder that wasn't used yet. */
  width: number | null;
  height: number | null;
  depth: number | null;
  channels: number | null;
  bytes: number;
  created?: number;
  warning?: string | null;
  from?: "upload" | "folder";
}

export type JobState = "queued" | "running" | "stopped" | "finished" | "failed";

export interface Job {
  id: string;
  image: string;
  image_name: string;
  model: string;
  recipe: string;
  target: string | null;
  seed: number;
  trust: boolean;
  settings: Record<string, Plain>;
  state: JobState;
  /** Whether it was told to stop and hasn't yet. */
  stopping?: boolean;
  message: string | null;
  created: number;
  started: number | null;
  finished: number | null;
  rounds: number;
  version: number;
  can_continue: boolean;
}

export interface Progress {
  round: number;
  rounds: number;
  sample: number;
  samples: number;
  cards: boolean;
}

export type StrokeKind = "brush" | "eraser" | "lasso" | "region";

/** Points are y, x in pixels of the source; the pixel (0, 0) reaches from 0 to 1. */
export interface Stroke {
  kind: StrokeKind;
  points?: [number, number][];
  width_px?: number | null;
  region?: string | null;
}

export interface Drawing {
  strokes: Stroke[];
}

export type On = "original" | "erased";

export interface LabelChange {
  class_index: number;
  name: string;
  before: number;
  after: number;
  score_before: number;
  score_after: number;
}

export interface WhatIf {
  drawing: Drawing;
  area_share: number;
  area_px: number;
  on: On;
  labels: LabelChange[];
  target: string;
  score_before: number;
  score_after: number;
  p_value: number | null;
  /** Null before the test. */
  placements: number | null;
  exceeding: number;
  notes?: string[];
}

export interface WhatIfEntry {
  number: number;
  what_if: WhatIf;
  testing?: boolean;
}

export type Answer = "accept" | "reject" | "unsure";

export interface Judgment {
  answer: Answer;
  note: string;
  time_s: number;
  blind: boolean;
}

export interface Review {
  record_sha256?: string | null;
  reviewer: string;
  judgments: Record<string, Judgment>;
}

export interface AgreementTable {
  judged: number;
  compared: number;
  agreeing: number;
  runs: number;
  kappa: number | null;
  kappa_95: [number, number] | null;
  /** By verdict (or none) and answer. */
  counts: Record<string, Record<Answer, number>>;
}

export interface Agreement {
  runs: number;
  regions: number;
  all: AgreementTable;
  blind: AgreementTable;
  seen: AgreementTable;
}
