// What stands on the corners of the image: the layer, its scale, the window, lengths.
import { html, nothing } from "lit-html";
import type { AnyStage } from "./frame";
import { barLength, short } from "./scales";
import type { RoundMap } from "./scene";
import type { Layer, State } from "./state";

/** Texts on the corners of the image. */
export function cornersView(state: State, stage: AnyStage, map: RoundMap | null) {
  const { layer, shownRound, shared } = state;
  const { view } = state.scene;
  const names: Record<Layer, string> = { original: "", saliency: `Saliency, round ${shownRound.value}`, model: `Model input, round ${shownRound.value}`, difference: differenceText(state.round.value) };
  const changed = shared.window.value !== null || shared.invert.value || (view.preview?.window ?? null) !== null;
  const top = state.hidden.value ? "Overlays hidden" : state.scene.isVolume ? "" : names[layer.value];
  return html`
    <div class="corner top">${top}</div>
    ${state.hidden.value ? nothing : colorBar(state, stage, map)}
    <div class="corner window">${changed ? windowText(state, stage) : nothing}</div>
    <div class="corner scale">${scaleBar(state, stage)}${state.scene.isVolume ? nothing : html`<span>${zoomText(stage)}</span>`}</div>`;
}

function differenceText(round: number): string {
  if (round === 0) return "Original minus what was left in the end";
  return round === 1 ? "Nothing was erased before round 1" : `Original minus the model's input of round ${round}`;
}

function colorBar({ layer }: State, stage: AnyStage, map: RoundMap | null) {
  if (layer.value === "saliency" && map) return html`<div class="corner bar"><span>${short(map.limit)}</span><i></i><span>0</span></div>`;
  const limit = short(stage.differenceLimit);
  if (layer.value !== "difference" || limit === "0") return nothing;
  return html`<div class="corner bar"><span>+${limit}</span><i class="signed"></i><span>\u2212${limit}</span></div>`;
}

function zoomText(stage: AnyStage): string {
  return `${Math.round(Math.min(stage.frame.sx, stage.frame.sy) * 100)}\u202f%`;
}

function windowText(state: State, stage: AnyStage): string {
  const [low, high] = stage.windowShares();
  const [zero, one] = state.scene.view.source.value_range ?? [0, 255];
  const [from, to] = [low, high].map((share) => zero + share * (one - zero));
  const inverted = state.shared.invert.value ? ", inverted" : "";
  return `W ${short(to - from)}  C ${short((from + to) / 2)}${inverted}`;
}

function scaleBar(state: State, stage: AnyStage) {
  const spacing = state.scene.view.source.spacing_mm;
  if (!spacing) return nothing;
  const pxPerMm = stage.frame.sx / spacing[spacing.length - 1];
  const length = barLength(pxPerMm, state.scene.isVolume ? 60 : 120);
  return html`<span class="length">${short(length)} mm<svg width=${length * pxPerMm + 2} height="7" aria-hidden="true"><path d="M1 0v6h${length * pxPerMm}v-6"></path></svg></span>`;
}
