// What is shown while judging: the region, its answer and note, how many are left, and what was said so far.
import { html, nothing } from "lit-html";
import { live } from "lit-html/directives/live.js";
import type { Region } from "../src/document";
import type { SingleView } from "../src/single";
import { PALETTE_SIZE } from "../src/scales";
import { verdictView } from "../src/table";
import { icon } from "./icons";
import { type Judging, MOST_NOTE } from "./judging";
import { recall } from "./kept";
import type { Answer } from "./types";
import { plural } from "./words";

export const ANSWERS: [Answer, string, string, string][] = [
  ["accept", "Accept", "A", "check"],
  ["reject", "Reject", "X", "cross"],
  ["unsure", "Unsure", "U", "unsure"],
];
export const ANSWERED: Record<Answer, string> = { accept: "accepted", reject: "rejected", unsure: "unsure" };

/** The answers below the image. */
export function judgeBar(judging: Judging, single: SingleView) {
  if (!judging.isReady.value) return html`<p class="quiet">${judging.regions.value.length ? "Regions can be judged once the run is over." : "There is no region to judge."}</p>`;
  const region = judging.region();
  const given = region && judging.of(region.id)?.answer;
  return html`
    ${region ? html`<span class="asked-for"><b class="dot c${single.state.colorOf(region) % PALETTE_SIZE}">${region.number}</b> ${single.state.labelOf(region)}</span>`
      : html`<button @click=${() => single.state.pin(judging.next(null)?.id ?? judging.regions.value[0].id)}>Begin with region ${judging.next(null)?.number ?? 1}</button>`}
    <div class="group answers" role="group" aria-label="Judgment">${ANSWERS.map(([answer, text, key, name]) => html`
      <button class=${answer} aria-pressed=${given === answer} ?disabled=${!region} title="${text} (${key})" @click=${() => void judging.answer(answer)}>${icon(name)}${text}<kbd>${key}</kbd></button>`)}</div>`;
}

/** Beside the image: the note, what was said, and who says it. */
export function judgeView(judging: Judging, single: SingleView) {
  const { regions, judged } = judging;
  const region = judging.region();
  const count = regions.value.length;
  return html`
    <label class="check"><input type="checkbox" .checked=${live(judging.blind.value)} @change=${(event: Event) => judging.setBlind((event.target as HTMLInputElement).checked)}>
      Blind: hide verdicts and scores until I have judged</label>
    ${judging.isReady.value ? html`
    <div class="done"><span>${judged.value} of ${plural(count, "region")} judged</span><progress max=${count} .value=${judged.value} aria-label="Judged regions"></progress></div>
    ${region ? noteView(judging, region) : nothing}
    <ol class="judged" aria-label="Judgments">${regions.value.map((one) => judgedView(judging, single, one))}</ol>
    <label class="field reviewer"><span>Reviewer</span><input type="text" maxlength="200" autocomplete="off" .value=${live(judging.review.value?.reviewer || recall("reviewer", ""))}
      @change=${(event: Event) => void judging.setReviewer((event.target as HTMLInputElement).value.trim())}></label>` : nothing}`;
}

function noteView(judging: Judging, region: Region) {
  return html`<label class="note">Note on region ${region.number} <kbd>N</kbd>
    <textarea rows="2" maxlength=${MOST_NOTE} .value=${live(judging.noteOf(region.id))}
      @change=${(event: Event) => void judging.setNote(region.id, (event.target as HTMLTextAreaElement).value)}></textarea></label>`;
}

function judgedView(judging: Judging, { state }: SingleView, region: Region) {
  const judgment = judging.of(region.id);
  const isBlind = state.isBlind(region);
  return html`<li><button aria-current=${state.pinned.value === region.id ? "true" : "false"} @click=${() => state.pin(region.id)}>
    <b class="dot c${state.colorOf(region) % PALETTE_SIZE}">${region.number}</b>
    <span class="name">${state.labelOf(region)}${judgment?.note ? html`<span class="quiet said">${judgment.note}</span>` : nothing}</span>
    <span class="said-of"><span class="given ${judgment?.answer ?? "open"}">${judgment ? ANSWERED[judgment.answer] : "open"}</span>
      ${isBlind ? nothing : html`<span class="theirs">${verdictView(region)}</span>`}</span></button></li>`;
}
