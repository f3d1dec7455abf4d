// Agreement: what people said of regions beside the verdicts, over all judged runs.
import { html, nothing } from "lit-html";
import type { Agreement, AgreementTable, Answer } from "./types";
import { plural } from "./words";

const ANSWERS: [Answer, string][] = [
  ["accept", "accepted"],
  ["unsure", "unsure"],
  ["reject", "rejected"],
];
const VERDICTS: [string, string][] = [
  ["supported", "supported"],
  ["weak", "weak"],
  ["artifact", "artifact"],
  ["none", "no trust card"],
];
const AGREE = new Set(["supported accept", "artifact reject"]);

export function agreementView(agreement: Agreement | null, failed: boolean, close: () => void) {
  return html`<form method="dialog" class="agreement"><h2>Agreement of verdicts and reviewers</h2>
    ${agreement !== null ? tablesView(agreement) : html`<p class="quiet">${failed ? "It can\u2019t be had now" : "Asking the server \u2026"}</p>`}
    <button type="button" class="primary" @click=${close}>Close</button></form>`;
}

function tablesView(agreement: Agreement) {
  const { all, blind, seen } = agreement;
  if (!all.judged) return html`<p>No region was judged yet. Judge regions, best while their verdicts are hidden, and see here how far verdicts and people agree.</p>`;
  return html`<p class="quiet">${plural(agreement.runs, "run")} with judgments, ${all.judged} of ${plural(agreement.regions, "region")} judged</p>
    <div class="pairs">${tableView("Judged blind", blind)}${tableView("Judged with the verdict in view", seen)}</div>
    ${blind.judged && seen.judged ? html`<p class="sum">All: ${kappaText(all)}</p>` : nothing}`;
}

function tableView(title: string, table: AgreementTable) {
  if (!table.judged) return html`<section><h3>${title}</h3><p class="quiet">none</p></section>`;
  const rows = VERDICTS.filter(([verdict]) => ANSWERS.some(([answer]) => table.counts[verdict][answer]));
  return html`<section><h3>${title}</h3>
    <table class="counts"><thead><tr><td></td>${ANSWERS.map(([, text]) => html`<th scope="col">${text}</th>`)}</tr></thead>
      <tbody>${rows.map(([verdict, text]) => html`<tr><th scope="row">${text}</th>${ANSWERS.map(([answer]) => html`
        <td class=${AGREE.has(`${verdict} ${answer}`) ? "agree" : ""}>${table.counts[verdict][answer] || html`<span class="quiet">0</span>`}</td>`)}</tr>`)}</tbody></table>
    <p>${kappaText(table)}</p></section>`;
}

/** Cohen's kappa with its interval, and what it is made of. */
function kappaText({ agreeing, compared, kappa, kappa_95, runs }: AgreementTable) {
  const of = html`${agreeing} of ${compared} agree`;
  if (kappa === null) return html`${of}; <span class="quiet">no kappa: it needs supported and artifact regions that were accepted and rejected</span>`;
  const interval = kappa_95 === null ? html`<span class="quiet"> (an interval needs two runs)</span>` : html` (95 % interval ${kappa_95[0].toFixed(2)} to ${kappa_95[1].toFixed(2)}, ${plural(runs, "run")})`;
  return html`${of}: \u03ba = <strong>${kappa.toFixed(2)}</strong>${interval}`;
}
