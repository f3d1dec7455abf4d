// The table of regions: one row each, with all that is known of the one that is chosen.
import { html, nothing, svg } from "lit-html";
import type { Region } from "./document";
import { PALETTE_SIZE, grouped, multiple, percent, short, signed } from "./scales";
import type { SortKey, State } from "./state";

const RANK = { artifact: 2, weak: 1, supported: 0 };
const OPEN = new Set<SortKey>(["number", "round", "label", "area"]);
const COLUMNS: [SortKey, string, string][] = [
  ["number", "#", "number"],
  ["round", "Round", "round"],
  ["label", "Label", "label"],
  ["verdict", "Verdict", "verdict"],
  ["drop", "Drop", "drop in logits when the region is erased"],
  ["probability", "Probability", "probability before and after"],
  ["stability", "Stability", "overlap of the regions that two halves of the noise give"],
];

/** The regions in the order that the table has. */
export function sortedRegions(state: State): Region[] {
  const { key, down } = sortOf(state);
  const value = (region: Region): number | string => {
    switch (key) {
      case "label": return state.labelOf(region).toLowerCase();
      case "verdict": return region.trust ? RANK[region.trust.verdict] : -1;
      case "probability": return (region.probability_before ?? 0) - (region.probability_after ?? 0);
      case "area": return region.area_px;
      case "stability": return region.stability ?? -1;
      default: return region[key];
    }
  };
  const sign = down ? -1 : 1;
  return [...state.regions].sort((a, b) => {
    const [first, second] = [value(a), value(b)];
    return sign * (first < second ? -1 : first > second ? 1 : 0) || a.number - b.number;
  });
}

/** The order; scores that aren't shown give none. */
function sortOf(state: State): { key: SortKey; down: boolean } {
  const { key, down } = state.sort.value;
  return state.hasBlind.value && !OPEN.has(key) ? { key: "number", down: false } : { key, down };
}

export function tableView(state: State, toggle: (id: string) => void) {
  const regions = sortedRegions(state);
  const { key, down } = sortOf(state);
  const blind = state.hasBlind.value;
  const suspicious = key === "suspicion";
  return html`
    <section class="panel regions" aria-label="Regions">
      <header><h3>Regions</h3>
        <button class="quiet" ?disabled=${blind} aria-pressed=${suspicious} @click=${() => (state.sort.value = suspicious ? { key: "number", down: false } : { key: "suspicion", down: true })}>Most suspicious first</button></header>
      <div class="scroll" tabindex="0" role="region" aria-label="Table of regions">
      <table>
        <thead><tr>${COLUMNS.map(([name, text, title]) => html`
          <th scope="col" class=${name} aria-sort=${key === name ? (down ? "descending" : "ascending") : "none"}>
            <button title="Sort by ${title}" ?disabled=${blind && !OPEN.has(name)} @click=${() => (state.sort.value = { key: name, down: key === name ? !down : name === "drop" })}>${text}<span class="arrow">${key === name ? (down ? "\u2193" : "\u2191") : ""}</span></button></th>`)}</tr></thead>
        <tbody>${regions.map((region) => row(state, region, toggle))}</tbody>
      </table>
      ${regions.length ? nothing : html`<p class="empty">No regions: ${state.scene.view.tracks[0].stop.text}.</p>`}
      </div>
    </section>`;
}

function row(state: State, region: Region, toggle: (id: string) => void) {
  if (state.isBlind(region)) return blindRow(state, region, toggle);
  const pinned = region.id === state.pinned.value;
  const label = state.labelOf(region);
  const change = region.probability_before === null || region.probability_after === null
    ? "" : html`${percent(region.probability_before)} <span class="to">\u2192</span> ${percent(region.probability_after)}`;
  return html`
    <tr data-region=${region.id} data-row=${region.id}
      @pointerenter=${() => (state.hovered.value = region.id)} @pointerleave=${() => (state.hovered.value = null)} @click=${() => toggle(region.id)}>
      <td class="number"><button class="badge c${state.colorOf(region) % PALETTE_SIZE}" aria-pressed=${pinned} aria-label="Region ${region.number}: ${label}"
        @focus=${() => (state.hovered.value = region.id)} @blur=${() => (state.hovered.value = null)}>${region.number}</button></td>
      <td class="round">${region.round}</td>
      <td class="label">${label}${region.opposes ? html`<span class="against">speaks against it</span>` : nothing}</td>
      <td class="verdict">${verdictView(region)}</td>
      <td class="drop ${region.opposes ? "negative" : ""}">${signed(region.drop)}</td>
      <td class="probability">${change}</td>
      <td class="stability">${region.stability === null ? "" : percent(region.stability)}</td>
    </tr>
    ${region.trust || pinned ? html`<tr class="more" data-row=${region.id}><td></td><td colspan="6">
      <span class="reason">${region.trust?.reason ?? ""}</span>${pinned ? details(state, region) : nothing}</td></tr>` : nothing}`;
}

/** A region whose verdict and scores aren't shown: where it is, and for what. */
function blindRow(state: State, region: Region, toggle: (id: string) => void) {
  const label = state.labelOf(region);
  return html`
    <tr class="blind" data-region=${region.id} data-row=${region.id}
      @pointerenter=${() => (state.hovered.value = region.id)} @pointerleave=${() => (state.hovered.value = null)} @click=${() => toggle(region.id)}>
      <td class="number"><button class="badge c${state.colorOf(region) % PALETTE_SIZE}" aria-pressed=${region.id === state.pinned.value} aria-label="Region ${region.number}: ${label}"
        @focus=${() => (state.hovered.value = region.id)} @blur=${() => (state.hovered.value = null)}>${region.number}</button></td>
      <td class="round">${region.round}</td>
      <td class="label">${label}</td>
      <td class="reason" colspan="4">shown once you have judged it</td>
    </tr>`;
}

/** A verdict as a line in its style, and in words. */
export function verdictView(region: Region) {
  const verdict = region.trust?.verdict;
  return verdict ? html`<span class="chip ${verdict}"><svg width="22" height="10" viewBox="0 0 22 10" aria-hidden="true">${svg`<line x1="2" x2="20" y1="5" y2="5"></line>`}</svg>${verdict}</span>` : html`<span class="chip none">no card</span>`;
}

function details(state: State, region: Region) {
  const { trust } = region;
  const size = region.area_mm2 ?? region.volume_mm3;
  const unit = region.volume_mm3 === null ? "mm\u00b2" : "mm\u00b3";
  const pixels = state.scene.isVolume ? "voxels" : "px";
  const rows: [string, string | null, string][] = [
    ["Area", `${grouped(region.area_px)} ${pixels}${size === null ? "" : ` (${short(size)} ${unit})`}`, ""],
    ["Shows alone", region.shown && (region.shown.map((one) => `${one.name} (${signed(one.gain * 100, 0)} %)`).join(", ") || "nothing"), "labels predicted when only the region's box is kept, and their gain"],
    ["Other places", trust && (trust.q_value === null ? null : `q = ${short(trust.q_value)}, ${trust.placements} places`), "compared with the same shape at random places"],
    ["Erased alone", trust && `${signed(-trust.necessity)} logits`, "change of the score when this region alone is erased from the image"],
    ["Shown alone", trust && `${signed(trust.sufficiency - trust.baseline)} logits`, "the score with only this region, above that with nothing"],
    ["Other fills", trust && (trust.fill_agreement === null ? null : percent(trust.fill_agreement)), "smallest over largest drop among the fills"],
    ["Boundary alone", trust && (trust.boundary_share === null ? null : multiple(trust.boundary_share)), "share of the drop when only the boundary is erased"],
    ["At the rim", region.rim_share === null ? null : percent(region.rim_share), "share of its saliency beside what was erased before"],
    ["Hidden at first", region.revealed === null ? null : percent(region.revealed), "share that the first map would have missed"],
  ];
  return html`<dl>${rows.filter(([, value]) => value !== null).map(([name, value, title]) => html`<div title=${title}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}
