// Curves: the probability of every label from round to round.
import { html, nothing, svg } from "lit-html";
import { scaleLinear } from "d3-scale";
import { line } from "d3-shape";
import type { Label, State as TrackState, Track } from "./document";
import { PALETTE_SIZE, percent, spread } from "./scales";
import type { State } from "./state";

const HEIGHT = 250;
const TOP = 14;
const BOTTOM = 34;
const LEFT = 42;
const NAMES = 168; // px for the names on the right
const LEAST = 0.002; // probability at the ends of the scale in log-odds

interface Plot {
  x: (round: number) => number;
  y: (probability: number) => number;
  right: number;
  ticks: number[];
}

export function chartView(state: State, width: number, title = "Probabilities") {
  const track = state.scene.view.tracks[state.track.value];
  const labels = state.scene.view.labels;
  const named = labels.map((label, index) => ({ label, index })).filter(({ label, index }) => isNamed(label, index, track)).slice(0, 10);
  const others = labels.map((_, index) => index).filter((index) => !named.some((one) => one.index === index));
  const plot = plotOf(state, track.states.length, width);
  const ends = named.map(({ index }) => plot.y(track.states[track.states.length - 1].probabilities[index]));
  const places = spread(ends, named.map(({ label }) => (note(label, track) ? 32 : 19)), TOP, HEIGHT - 6);
  return html`
    <section class="panel curves" aria-label="${title} by round">
      <header><h3>${title}</h3>
        <label class="switch"><input type="checkbox" .checked=${state.shared.logOdds.value}
          @change=${(event: Event) => (state.shared.logOdds.value = (event.target as HTMLInputElement).checked)}>log-odds</label></header>
      <svg viewBox="0 0 ${width} ${HEIGHT}" width=${width} height=${HEIGHT} role="img"
        aria-label="Curves of ${named.map(({ label }) => label.name).join(", ")}; the table below has the numbers">
        ${axes(plot, track, state)}
        ${others.map((index) => curve(plot, track, index, "other"))}
        ${named.map(({ label, index }, place) => labelCurve(state, plot, track, label, index, places[place]))}
      </svg>
      ${numbers(labels, track)}
    </section>`;
}

function isNamed(label: Label, index: number, track: Track): boolean {
  const wasPredicted = track.states.some((one) => one.predicted.includes(label.index));
  return label.target || label.verdict !== null || wasPredicted || track.states.some((one) => one.probabilities[index] >= 0.3);
}

function plotOf(state: State, count: number, width: number): Plot {
  const right = width - NAMES;
  const x = scaleLinear([0, Math.max(count - 1, 1)], [LEFT, right]);
  const bend = (value: number) => Math.log(value / (1 - value));
  const log = state.shared.logOdds.value;
  const y = log ? scaleLinear([bend(LEAST), bend(1 - LEAST)], [HEIGHT - BOTTOM, TOP]) : scaleLinear([0, 1], [HEIGHT - BOTTOM, TOP]);
  const inside = (value: number) => Math.min(Math.max(value, LEAST), 1 - LEAST);
  return {
    x,
    y: (probability) => y(log ? bend(inside(probability)) : probability),
    right,
    ticks: log ? [0.01, 0.1, 0.5, 0.9, 0.99] : [0, 0.25, 0.5, 0.75, 1],
  };
}

function axes(plot: Plot, track: Track, state: State) {
  return svg`
    ${plot.ticks.map((value) => svg`<g class="tick"><line x1=${LEFT} x2=${plot.right} y1=${plot.y(value)} y2=${plot.y(value)}></line>
      <text x=${LEFT - 8} y=${plot.y(value)} dy=".32em" text-anchor="end">${percent(value)}</text></g>`)}
    ${track.states.map((one, index) => svg`<g class="tick ${state.round.value && one.round === state.round.value ? "now" : ""}">
      <line class="down" x1=${plot.x(index)} x2=${plot.x(index)} y1=${TOP} y2=${HEIGHT - BOTTOM}></line>
      <text x=${plot.x(index)} y=${HEIGHT - BOTTOM + 18} text-anchor="middle">${one.round === 0 ? "image" : one.round}</text></g>`)}
    <text class="axis" x=${(LEFT + plot.right) / 2} y=${HEIGHT - 1} text-anchor="middle">after round</text>`;
}

function curve(plot: Plot, track: Track, index: number, name: string) {
  const path = line<TrackState>().x((_, at) => plot.x(at)).y((one) => plot.y(one.probabilities[index]));
  return svg`<path class="curve ${name}" d=${path(track.states) ?? ""}></path>`;
}

function labelCurve(state: State, plot: Plot, track: Track, label: Label, index: number, place: number) {
  const last = track.states[track.states.length - 1];
  const lost = track.states.some((one) => one.disappeared.includes(label.index)) && !last.predicted.includes(label.index);
  const names = ["label", `c${label.color % PALETTE_SIZE}`, label.verdict ?? ""];
  const enter = () => (state.hoveredLabel.value = label.index);
  const leave = () => (state.hoveredLabel.value = null);
  const end = plot.y(last.probabilities[index]);
  return svg`<g class=${names.join(" ")} data-label=${label.index} @pointerenter=${enter} @pointerleave=${leave}>
    ${curve(plot, track, index, "near")}${curve(plot, track, index, "")}
    ${track.states.map((one, at) => svg`<circle class=${one.appeared.includes(label.index) ? "new" : "dot"} cx=${plot.x(at)}
      cy=${plot.y(one.probabilities[index])} r=${one.appeared.includes(label.index) ? 5 : 2.6}><title>${label.name}: ${percent(one.probabilities[index])}</title></circle>`)}
    <polyline class="lead" points="${plot.right + 5},${end} ${plot.right + 16},${place} ${plot.right + 22},${place}"></polyline>
    <text class="name ${lost ? "lost" : ""}" x=${plot.right + 26} y=${place} dy=".34em">${clipName(label.name)}</text>
    <title>${label.name}${label.verdict ? `: ${label.verdict}, ${label.reason}` : ""}</title>
    ${note(label, track) ? svg`<text class="note" x=${plot.right + 26} y=${place} dy="1.45em">${note(label, track)}</text>` : nothing}
  </g>`;
}

function clipName(name: string): string {
  return name.length > 21 ? `${name.slice(0, 20)}\u2026` : name;
}

function note(label: Label, track: Track): string {
  const appeared = track.states.find((one) => one.appeared.includes(label.index));
  if (label.verdict === "artifact") return "artifact of erasing";
  return appeared ? `new after round ${appeared.round}` : "";
}

/** The same numbers as a table, for those who don't see the curves. */
function numbers(labels: Label[], track: Track) {
  return html`<details class="numbers"><summary>Numbers</summary><div class="scroll" tabindex="0" role="region" aria-label="Probabilities"><table>
    <thead><tr><th scope="col">label</th>${track.states.map((one) => html`<th scope="col">${one.round === 0 ? "image" : `round ${one.round}`}</th>`)}</tr></thead>
    <tbody>${labels.map((label, index) => html`<tr><th scope="row">${label.name}</th>${track.states.map((one) => html`<td>${percent(one.probabilities[index])}</td>`)}</tr>`)}</tbody>
  </table></div></details>`;
}
