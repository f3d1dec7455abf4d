// Everything around the image: title, controls, what stands on the image's corners, help, and how the run was made.
import { html, nothing } from "lit-html";
import type { Pointer } from "./camera";
import type { ViewDocument } from "./document";
import type { AnyStage } from "./frame";
import { baseName, grouped, percent } from "./scales";
import type { Layer, State } from "./state";

const LAYERS: [Layer, string, string][] = [
  ["original", "Original", "O"],
  ["saliency", "Saliency", "S"],
  ["model", "Model input", "M"],
  ["difference", "Difference", "D"],
];

export function titleView(view: ViewDocument, blind = false) {
  const counts = blind ? [] : (["supported", "weak", "artifact"] as const)
    .map((name) => [name, view.regions.filter((region) => region.trust?.verdict === name).length] as const)
    .filter(([, count]) => count);
  return html`<header class="title">
    <h2 title=${view.source.name}>${baseName(view.source.name)}</h2>
    <p><span>${view.classifier.name}</span><span class="dot" aria-hidden="true"></span>
      <span>${predictedView(view)}</span><span class="dot" aria-hidden="true"></span>
      <span>${view.regions.length} region${view.regions.length === 1 ? "" : "s"}${counts.length ? ": " : ""}${counts.map(([name, count], index) => html`${index ? ", " : ""}${count} ${name}`)}</span></p>
  </header>`;
}

function predictedView(view: ViewDocument) {
  const first = view.tracks[0].states[0];
  const predicted = first.predicted.map((index) => {
    const at = view.labels.findIndex((label) => label.index === index);
    return at < 0 ? nothing : html`<strong>${view.labels[at].name}</strong> ${percent(first.probabilities[at])}`;
  });
  return html`predicted ${predicted.length ? predicted.map((one, index) => html`${index ? ", " : ""}${one}`) : "nothing"}`;
}

/** Why something can't be drawn. */
export function problemView(state: State) {
  return state.problem.value ? html`<p class="problem" role="alert">This view can't be drawn: ${state.problem.value}</p>` : nothing;
}

/** What stands above one of two images. */
export function sideView(view: ViewDocument, letter: string) {
  const recipe = (view.recipe as { name?: string }).name;
  return html`<header class="side"><b class="letter" aria-hidden="true">${letter}</b><div><strong>${view.classifier.name}</strong>
    <span>${recipe ? `recipe ${recipe}, ` : ""}${predictedView(view)}</span></div></header>`;
}

/** The controls of one run, or of two that share them. */
export function controlsView(states: State[], pointer: Pointer, more: unknown, help: () => void, tool: unknown = nothing) {
  const [state] = states;
  const { layer, threshold, opacity, windowTool, invert } = state.shared;
  const hasMap = layer.value === "saliency";
  return html`
    <div class="controls">
      ${roundControl(states)}
      ${more}
      <div class="row">
        <div class="segments" role="group" aria-label="Layer">${LAYERS.map(([name, text, key]) => html`
          <button aria-pressed=${layer.value === name} title="${text} (${key})" @click=${() => (layer.value = name)}>${text}</button>`)}</div>
        <div class="tools" role="group" aria-label="View">${tool}
          <button class="icon" aria-pressed=${windowTool.value} aria-label="Window and level by dragging" title="Window and level by dragging (or with the right button)" @click=${() => (windowTool.value = !windowTool.value)}>${icon("window")}</button>
          <button class="icon" aria-pressed=${invert.value} aria-label="Invert" title="Invert (I)" @click=${() => (invert.value = !invert.value)}>${icon("invert")}</button>
          ${state.scene.isVolume ? nothing : zoomButtons(pointer)}
          <button class="icon" aria-label="Keys" title="Keys (?)" @click=${help}>${icon("help")}</button>
        </div>
      </div>
      ${hasMap || layer.value === "difference" ? html`<div class="row sliders">
        ${hasMap ? slider("Threshold", threshold.value, 0, 0.95, (value) => (threshold.value = value)) : nothing}
        ${slider("Opacity", opacity.value, 0.1, 1, (value) => (opacity.value = value))}</div>` : nothing}
    </div>`;
}

/** The slices of a volume, and where they meet. */
export function slicesView(stage: AnyStage) {
  const slices = stage.slices();
  if (!slices.length) return nothing;
  return html`<div class="row sliders slices">${slices.map(({ name, at, count, chosen, go }) => html`
    <label class=${chosen ? "chosen" : ""}>${name}<input type="range" min="1" max=${count} step="1" .value=${String(at + 1)} aria-valuetext="slice ${at + 1} of ${count}"
      @input=${(event: Event) => go(Number((event.target as HTMLInputElement).value) - 1)}><output>${at + 1} / ${count}</output></label>`)}
    ${stage.place() ? html`<output class="place" title="Where the planes meet, from the file">${stage.place()}</output>` : nothing}</div>`;
}

function zoomButtons(pointer: Pointer) {
  return html`<button class="icon" aria-label="Zoom out" title="Zoom out (\u2212)" @click=${() => pointer.zoomBy(1 / 1.4)}>${icon("out")}</button>
          <button class="icon" aria-label="Zoom in" title="Zoom in (+)" @click=${() => pointer.zoomBy(1.4)}>${icon("in")}</button>
          <button class="icon" aria-label="Whole image" title="Whole image (=)" @click=${() => pointer.whole()}>${icon("whole")}</button>`;
}

function roundControl(states: State[]) {
  const [state] = states;
  const most = state.mostRounds;
  const round = state.shared.round.value;
  const text = round ? `Round ${round} of ${most}, ${states.map(erasedText).join(" and ")} erased` : most ? most === 1 ? "All of 1 round" : `All ${most} rounds` : "No rounds";
  return html`<div class="row rounds">
    ${states.map((one, place) => trackControl(one, states.length > 1 ? ` ${"AB"[place]}` : ""))}
    <button class="icon" aria-label="Round before" ?disabled=${round === 0} @click=${() => state.setRound(round - 1)}>${icon("left")}</button>
    <input type="range" min="0" max=${most} step="1" .value=${String(round)} aria-label="Round" aria-valuetext=${text} ?disabled=${!most}
      @input=${(event: Event) => state.setRound(Number((event.target as HTMLInputElement).value))}>
    <button class="icon" aria-label="Round after" ?disabled=${round === most} @click=${() => state.setRound(round + 1)}>${icon("right")}</button>
    <output>${text}</output></div>`;
}

function erasedText({ round, rounds }: State): string {
  return percent(rounds.value[round.value - 1]?.coverage ?? 0);
}

function trackControl(state: State, name: string) {
  const { tracks } = state.scene.view;
  if (tracks.length < 2) return nothing;
  return html`<label class="track">Target${name} <select @change=${(event: Event) => state.setTrack(Number((event.target as HTMLSelectElement).value))}>
    ${tracks.map((track, index) => html`<option value=${index} .selected=${index === state.track.value}>${track.name}</option>`)}</select></label>`;
}

function slider(name: string, value: number, low: number, high: number, change: (value: number) => void) {
  return html`<label>${name}<input type="range" min=${low} max=${high} step="0.01" .value=${String(value)}
    @input=${(event: Event) => change(Number((event.target as HTMLInputElement).value))}><output>${Math.round(value * 100)}\u202f%</output></label>`;
}

export function helpView(keys: [string, string][], close: () => void) {
  return html`<form method="dialog"><h3>Keys</h3>
    <dl>${keys.map(([key, text]) => html`<div><dt>${key.split(" ").map((one) => (/^(or|\u2026)$/.test(one) ? html`<span>${one}</span>` : html`<kbd>${one}</kbd>`))}</dt><dd>${text}</dd></div>`)}</dl>
    <p>Drag to move, Ctrl and the wheel to zoom. Drag with the right button for window (across) and level (up and down).</p>
    <button type="button" @click=${close}>Close</button></form>`;
}

/** How the run was made, and what stands below everything. */
export function originView(view: ViewDocument, title = "How this was made", last = true, blind = false) {
  const { source, classifier } = view;
  const rows: [string, string][] = [
    ["Image", `${source.name}, ${source.shape.join(" \u00d7 ")}, SHA-256 ${source.sha256.slice(0, 12)}`],
    ["Classifier", `${classifier.name}, ${grouped(classifier.labels)} labels, ${classifier.output}, weights ${classifier.fingerprint.slice(0, 12)}`],
    ["Run", `seed ${view.seed}, ${view.seconds.toFixed(1)} s on ${classifier.device} in ${classifier.precision}`],
    ["Stopped", view.tracks.map((track) => (track.name === null ? "" : `${track.name}: `) + track.stop.text).join("; ")],
    ["Versions", Object.entries(view.versions).map(([name, version]) => `${name} ${version}`).join(", ")],
  ];
  return html`${blind ? nothing : html`<details class="origin"><summary>${title}</summary>
    <dl>${rows.map(([name, text]) => html`<div><dt>${name}</dt><dd>${text}</dd></div>`)}
      ${view.command ? html`<div><dt>Repeat</dt><dd><code>${view.command}</code></dd></div>` : nothing}
      <div><dt>Recipe</dt><dd><pre tabindex="0">${JSON.stringify(view.recipe, null, 1)}</pre></dd></div></dl></details>`}
    ${last ? html`<p class="note">Not for diagnosis. Regions are what this classifier relies on, and not what is true.</p>` : nothing}`;
}

const ICONS: Record<string, string> = {
  left: "M10 3 5 8l5 5", right: "m6 3 5 5-5 5", in: "M8 3v10M3 8h10", out: "M3 8h10", whole: "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10",
  help: "M5.6 6a2.4 2.4 0 1 1 3.5 2.1C8.300 8.600 8 9 8 9.900M8 12.300v.4", invert: "M8 2.500a5.500 5.500 0 1 0 0 11zM8 2.500a5.500 5.500 0 0 1 0 11", window: "M2.500 12.500 6 5l3 5 2-3.500 2.500 6",
};

function icon(name: string) {
  return html`<svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true" class="sign ${name}"><path d=${ICONS[name]}></path></svg>`;
}
