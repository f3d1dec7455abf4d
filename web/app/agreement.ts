// Agreement: what people said of regions beside the verdicts, over all judged runs.
import { html, nothing } from "lit-html";
import { ANSWERED } from "./judgeview";
import type { Agreement, AgreementTable, Answer } from "./types";
import { plural } from "./words";

const ANSWERS: Answer[] = ["accept", "reject", "unsure"];

export function agreementView(agreement: Agreement | null, close: () => void) {
  return html`<form method="dialog" class="agreement"><h2>Agreement</h2>
    ${agreement === null ? html`<p class="quiet">Asking the server \u2026</p>` : tablesView(agreement)}
    <button type="button" class="primary" @click=${close}>Close</button></form>`;
}

function tablesView(_agreement: Agreement) {
  return nothing;
}

export function unused(_table: AgreementTable) {
  return [ANSWERED, ANSWERS, plural];
}
