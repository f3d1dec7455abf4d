// Made by types.mjs from src/unveil/view/schema.json. Don't edit.

/**
 * What a viewer shows of one run; see docs/view-format.md.
 */
export interface ViewDocument {
  format: "unveil view";
  version: 1;
  anonymous: boolean;
  source: Source;
  classifier: Classifier;
  recipe: {};
  seed: number;
  seconds: number;
  versions: {
    [k: string]: string;
  };
  command: string | null;
  targets: Target[];
  labels: Label[];
  /**
   * @minItems 1
   */
  tracks: Track[];
  rounds: Round[];
  regions: Region[];
  preview: Preview | null;
}
export interface Source {
  name: string;
  sha256: string;
  channels: number;
  /**
   * @minItems 2
   * @maxItems 3
   */
  shape: number[];
  geometry: Geometry;
  spacing_mm: number[] | null;
  value_range: number[] | null;
  axes: string | null;
  affine: number[][] | null;
}
/**
 * source = offset + scale * model, axis by axis.
 */
export interface Geometry {
  source_shape: number[];
  model_shape: number[];
  scale: number[];
  offset: number[];
}
export interface Classifier {
  name: string;
  fingerprint: string;
  output: "softmax" | "sigmoid";
  labels: number;
  device: string;
  precision: string;
}
export interface Target {
  name: string;
  class_index: number | null;
  weights: number[][];
  color: number;
}
export interface Label {
  index: number;
  name: string;
  color: number;
  target: boolean;
  predicted: boolean;
  verdict: ("supported" | "weak" | "artifact") | null;
  reason: string | null;
  gain: number | null;
  regions: number[];
}
export interface Track {
  name: string | null;
  stop: Stop;
  /**
   * @minItems 1
   */
  states: State[];
  final: Blob;
}
export interface Stop {
  kind: string;
  text: string;
}
export interface State {
  round: number;
  coverage: number;
  probabilities: number[];
  predicted: number[];
  appeared: number[];
  disappeared: number[];
}
/**
 * An array: a PNG file, or compressed little-endian bytes in C order; in base64.
 */
export interface Blob {
  type: "image/png" | "application/gzip";
  dtype: "uint8" | "uint16";
  shape: number[];
  data: string;
}
export interface Round {
  track: number;
  index: number;
  coverage: number;
  image: Blob;
  erased: Mask;
  erased_after: Mask;
  maps: SaliencyMap[];
}
/**
 * Run lengths in C order, outside first.
 */
export interface Mask {
  shape: number[];
  runs: number[];
}
export interface SaliencyMap {
  target: number;
  reason: string | null;
  limit: number;
  maximum: number;
  map: Blob;
}
export interface Region {
  id: string;
  number: number;
  target: number;
  track: number;
  round: number;
  area_mm2: number | null;
  volume_mm3: number | null;
  drop: number;
  score_before: number;
  score_after: number;
  probability_before: number | null;
  probability_after: number | null;
  stability: number | null;
  revealed: number | null;
  rim_share: number | null;
  box_gain: number | null;
  area_px: number;
  box: Box | null;
  shown: Shown[] | null;
  other_label: Shown | null;
  opposes: boolean;
  mask: Mask;
  model_mask: Mask;
  suspicion: number;
  trust: Trust | null;
}
export interface Box {
  start: number[];
  stop: number[];
}
export interface Shown {
  class_index: number;
  name: string;
  gain: number;
}
export interface Trust {
  necessity: number;
  sufficiency: number;
  baseline: number;
  placements: number;
  p_value: number | null;
  p_holm: number | null;
  q_value: number | null;
  fill_drops: number[];
  fill_agreement: number | null;
  boundary_share: number | null;
  randomized_overlap: number | null;
  randomized_rank_correlation: number | null;
  shapley_value: number | null;
  verdict: "supported" | "weak" | "artifact";
  reason: string;
}
export interface Preview {
  image: Blob;
  window: number[] | null;
}
