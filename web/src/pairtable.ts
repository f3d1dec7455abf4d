// The tables of two runs: the regions of both, and the settings that differ.
import type { Signal } from "@preact/signals-core";
import { html, nothing } from "lit-html";
import type { Region } from "./document";
import type { Pair } from "./match";
import { PALETTE_SIZE, percent, signed } from "./scales";
import type { State } from "./state";
import { verdictView } from "./table";

/** Which rows are shown. */
export type Rows = "all" | "differences";

/** What two runs have in common, in one sentence. */
export function summaryOf(pairs: Pair[], overlap: number | null): string {
  const both = pairs.filter(({ first, second }) => first && second).length;
  const [onlyA, onlyB] = [pairs.filter(({ second }) => !second).length, pairs.filter(({ first }) => !first).length];
  const counts = `${both} region${both === 1 ? "" : "s"} in both runs, ${onlyA} only in A, ${onlyB} only in B`;
  return overlap === null ? counts : `${counts}; everything found overlaps by ${percent(overlap)} (IoU)`;
}

export function pairsView(states: State[], pairs: Pair[], rows: Signal<Rows>, choose: (side: number, region: Region) => void) {
  const different = pairs.filter((pair) => differs(states, pair));
  const onlyDifferent = rows.value === "differences";
  const shown = onlyDifferent ? different : pairs;
  return html`
    <section class="panel regions pairs" aria-label="Regions of both runs">
      <header><h3>Regions of both runs</h3>
        <button class="quiet" aria-pressed=${onlyDifferent} @click=${() => (rows.value = onlyDifferent ? "all" : "differences")}>Only differences (${different.length} of ${pairs.length})</button></header>
      <div class="scroll" tabindex="0" role="region" aria-label="Table of the regions of both runs">
      <table>
        <thead><tr><th scope="col">A</th><th scope="col">B</th><th scope="col">Label</th><th scope="col">Verdict in A</th><th scope="col">Verdict in B</th>
          <th scope="col" class="end">Drop in A</th><th scope="col" class="end">Drop in B</th><th scope="col" class="end">Rounds</th><th scope="col" class="end">Overlap</th></tr></thead>
        <tbody>${shown.map((pair) => pairRow(states, pair, choose))}</tbody>
      </table>
      ${shown.length ? nothing : html`<p class="empty">${pairs.length ? "Both runs have the same regions, labels and verdicts." : "No regions in either run."}</p>`}
      </div>
    </section>`;
}

/** Whether a row is a difference: only one run has the region, or its label or verdict is another. */
function differs(states: State[], { first, second }: Pair): boolean {
  if (!first || !second) return true;
  return states[0].labelOf(first) !== states[1].labelOf(second) || first.trust?.verdict !== second.trust?.verdict;
}

function pairRow(states: State[], { first, second, overlap }: Pair, choose: (side: number, region: Region) => void) {
  const sides = [first, second];
  const labels = sides.map((region, side) => (region ? states[side].labelOf(region) : null));
  const same = labels[0] === labels[1] || labels.includes(null);
  const only = first ? "only in A" : "only in B";
  const point = (on: boolean) => sides.forEach((region, side) => {
    if (region && (side === 0 || !first)) states[side].hovered.value = on ? region.id : null;
  });
  return html`<tr data-first=${first?.id ?? ""} data-second=${second?.id ?? ""} @pointerenter=${() => point(true)} @pointerleave=${() => point(false)}>
    ${sides.map((region, side) => html`<td class="number">${region ? badge(states[side], region, side, choose) : html`<span class="none" aria-label="none">\u2013</span>`}</td>`)}
    <td class="label">${same ? (labels[0] ?? labels[1]) : html`<span class="differs">${labels[0]} <span class="to">|</span> ${labels[1]}</span>`}</td>
    ${sides.map((region) => html`<td class="verdict">${region ? html`${verdictView(region)}<span class="reason">${region.trust?.reason ?? ""}</span>` : nothing}</td>`)}
    ${sides.map((region) => html`<td class="end ${region?.opposes ? "drop negative" : ""}">${region ? signed(region.drop) : ""}</td>`)}
    <td class="end">${sides.map((region) => region?.round ?? "\u2013").join(" | ")}</td>
    <td class="end">${first && second ? overlapView(overlap) : html`<span class="differs">${only}</span>`}</td></tr>`;
}

function overlapView(overlap: number) {
  return html`<span class="meter" aria-hidden="true"><i .style=${`width:${overlap * 100}%`}></i></span>${percent(overlap)}`;
}

function badge(state: State, region: Region, side: number, choose: (side: number, region: Region) => void) {
  return html`<button class="badge c${state.colorOf(region) % PALETTE_SIZE}" data-side=${side} aria-pressed=${state.pinned.value === region.id} aria-label="Region ${region.number} of ${"AB"[side]}: ${state.labelOf(region)}"
    @click=${() => choose(side, region)} @focus=${() => (state.hovered.value = region.id)} @blur=${() => (state.hovered.value = null)}>${region.number}</button>`;
}

/** The facts and settings in which the runs differ. */
export function differencesView(rows: [string, string, string][]) {
  return html`<section class="panel settings" aria-label="What differs"><header><h3>What differs</h3></header>
    ${rows.length ? html`<div class="scroll" tabindex="0" role="region" aria-label="Table of differences"><table>
      <thead><tr><th scope="col"></th><th scope="col">A</th><th scope="col">B</th></tr></thead>
      <tbody>${rows.map(([name, a, b]) => html`<tr><th scope="row">${name}</th><td>${a}</td><td>${b}</td></tr>`)}</tbody></table></div>`
    : html`<p class="empty">The runs have the same image, classifier and settings.</p>`}</section>`;
}
