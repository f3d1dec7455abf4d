// The form of a new run: classifier, target, recipe, and the recipe's settings, which the server describes.
import { computed, effect, signal, untracked } from "@preact/signals-core";
import { html, nothing } from "lit-html";
import { live } from "lit-html/directives/live.js";
import { getJson } from "./api";
import { keep, recall } from "./kept";
import type { Store } from "./store";
import type { FormField, Plain } from "./types";
import { modelText } from "./words";

/** Settings that are shown at once, and how they are called there. */
const FIRST = new Map([
  ["stop.stops.0.rounds", "Rounds at most"],
  ["attribution.samples", "Noise samples"],
  ["fill.kind", "Fill of what is hidden"],
]);
const TRUST = "trust"; // has a place of its own

interface Remembered {
  model: string;
  recipe: string;
  target: string;
  seed: number;
  trust: boolean;
}

export class Form {
  readonly image = signal<string | null>(null);
  readonly model = signal("");
  readonly recipe = signal("");
  readonly target = signal("");
  readonly seed = signal(0);
  readonly trust = signal(true);
  readonly fields = signal<FormField[] | null>(null);
  /** Changed settings by key. */
  readonly changes = signal<Record<string, Plain>>({});
  readonly isSending = signal(false);
  private readonly known = new Map<string, FormField[]>();
  readonly modelInfo = computed(() => this.store.session.value?.models.find((one) => one.name === this.model.value) ?? null);
  readonly shown = computed(() => (this.fields.value ?? []).filter((field) => field.key !== TRUST && this.applies(field)));

  constructor(private readonly store: Store) {
    effect(() => {
      const session = store.session.value;
      if (session) untracked(() => this.fillIn());
    });
    effect(() => {
      const recipe = this.recipe.value;
      if (recipe) untracked(() => void store.attempt(() => this.load(recipe)));
    });
  }

  private fillIn(): void {
    const session = this.store.session.value;
    if (!session || this.model.value) return;
    const before = recall<Partial<Remembered>>("form", {});
    const name = (names: { name: string }[], wanted: string | undefined, otherwise: string) => (names.some((one) => one.name === wanted) ? (wanted as string) : otherwise);
    this.model.value = name(session.models, before.model, session.models[0]?.name ?? "");
    this.recipe.value = name(session.recipes, before.recipe, session.default_recipe);
    this.trust.value = before.trust ?? true;
  }

  private async load(recipe: string): Promise<void> {
    const known = this.known.get(recipe) ?? (await getJson<{ fields: FormField[] }>(`/api/recipe-form?recipe=${encodeURIComponent(recipe)}`)).fields;
    this.known.set(recipe, known);
    if (this.recipe.value !== recipe) return;
    this.changes.value = {};
    this.fields.value = known;
  }

  valueOf(field: FormField): Plain {
    return field.key in this.changes.value ? this.changes.value[field.key] : field.value;
  }

  private applies({ when }: FormField): boolean {
    const conditions = !when ? [] : Array.isArray(when) ? when : [when];
    return conditions.every(({ key, value }) => {
      if (key === TRUST) return this.trust.value === value;
      const field = this.fields.value?.find((one) => one.key === key && this.applies(one));
      return field !== undefined && String(this.valueOf(field)) === String(value);
    });
  }

  change(field: FormField, value: Plain): void {
    const { [field.key]: _, ...others } = this.changes.value;
    this.changes.value = value === field.value ? others : { ...others, [field.key]: value };
  }

  async start(): Promise<void> {
    const image = this.image.value;
    if (!image || this.isSending.value) return;
    const [model, recipe, target, seed, trust] = [this.model.value, this.recipe.value, this.target.value.trim(), this.seed.value, this.trust.value];
    const shown = new Set(this.shown.value.map((field) => field.key));
    const settings = Object.fromEntries(Object.entries(this.changes.value).filter(([key]) => shown.has(key)));
    this.isSending.value = true;
    await this.store.attempt(() => this.store.submit({ image, model, recipe, target: target || null, seed, trust, settings }));
    this.isSending.value = false;
    keep("form", { model, recipe, target, seed, trust } satisfies Remembered);
  }
}

export function formView(form: Form, store: Store) {
  const session = store.session.value;
  if (!session) return html`<section class="card form"><p class="quiet">Asking the server \u2026</p></section>`;
  const image = store.images.value?.find((one) => one.id === form.image.value);
  const recipe = session.recipes.find((one) => one.name === form.recipe.value);
  const model = form.modelInfo.value;
  const submit = (event: Event) => {
    event.preventDefault();
    void form.start();
  };
  return html`
    <form class="card form" @submit=${submit} aria-label="New run">
      <h2>New run</h2>
      <p class="chosen ${image ? "" : "quiet"}">${image ? html`Image <strong>${image.name}</strong>` : "Choose an image first"}</p>
      <label>Classifier
        <select .value=${live(form.model.value)} @change=${(event: Event) => (form.model.value = (event.target as HTMLSelectElement).value)}>
          ${session.models.map((one) => html`<option value=${one.name} .selected=${one.name === form.model.value}>${one.title || one.name}</option>`)}</select></label>
      ${model ? html`<p class="help">${modelText(model)}</p>` : nothing}
      <label>Target
        <input type="text" list="labels" autocomplete="off" spellcheck="false" placeholder="what is predicted" maxlength="300" .value=${live(form.target.value)}
          @input=${(event: Event) => (form.target.value = (event.target as HTMLInputElement).value)}></label>
      <datalist id="labels">${(model?.labels ?? []).map((label) => html`<option value=${label}></option>`)}</datalist>
      <p class="help">a label, or empty for the recipe's own target</p>
      <label>Recipe
        <select .value=${live(form.recipe.value)} @change=${(event: Event) => (form.recipe.value = (event.target as HTMLSelectElement).value)}>
          ${session.recipes.map((one) => html`<option value=${one.name} .selected=${one.name === form.recipe.value}>${one.name}</option>`)}</select></label>
      ${recipe ? html`<p class="help">${codeView(recipe.summary)}</p>` : nothing}
      ${settingsView(form)}
      <button class="primary" ?disabled=${!image || !form.model.value || form.isSending.value}>${form.isSending.value ? "Starting \u2026" : "Start"}</button>
    </form>`;
}

/** Text in which names stand between backticks. */
const codeView = (text: string) => text.split("`").map((part, place) => (place % 2 ? html`<code>${part}</code>` : part));

function settingsView(form: Form) {
  const fields = form.shown.value;
  const few = [...FIRST].flatMap(([key, title]) => fields.filter((field) => field.key === key).map((field) => ({ field, title })));
  const groups = groupsOf(fields.filter((field) => !FIRST.has(field.key)));
  const changed = Object.keys(form.changes.value).length;
  return html`
    <div class="fields">${few.map(({ field, title }) => fieldView(form, field, title))}</div>
    <label class="check"><input type="checkbox" .checked=${live(form.trust.value)} @change=${(event: Event) => (form.trust.value = (event.target as HTMLInputElement).checked)}>
      Test each region (trust cards)</label>
    <details class="all"><summary>All settings${changed ? html` <span class="count">${changed} changed</span>` : nothing}</summary>
      <div class="groups"><div class="fields">
        <label class="field"><span>Seed</span><input type="number" step="1" min="0" .value=${live(String(form.seed.value))}
          @change=${(event: Event) => (form.seed.value = Math.max(0, Math.round(Number((event.target as HTMLInputElement).value)) || 0))}></label>
      </div>
      ${groups.map(([name, members]) => html`<fieldset class="fields"><legend>${name}</legend>${members.map((field) => fieldView(form, field))}</fieldset>`)}</div>
      ${changed ? html`<button type="button" class="quiet" @click=${() => (form.changes.value = {})}>Back to the recipe's settings</button>` : nothing}
    </details>`;
}

/** The fields of each part of a recipe, by its name; those of no part come last. */
function groupsOf(fields: FormField[]): [string, FormField[]][] {
  const groups = new Map<string, FormField[]>();
  for (const field of fields) {
    const part = field.key.split(".")[0];
    const isPart = field.key.includes(".") || fields.some((one) => one.key.startsWith(`${part}.`));
    const name = isPart ? part : "other";
    groups.set(name, [...(groups.get(name) ?? []), field]);
  }
  const named = [...groups].filter(([name]) => name !== "other").map(([name, members]): [string, FormField[]] => [nameOf(name), members]);
  const others = groups.get("other");
  return others ? [...named, ["Other", others]] : named;
}

const nameOf = (key: string) => (key.charAt(0).toUpperCase() + key.slice(1)).replaceAll("_", " ");

function fieldView(form: Form, field: FormField, title = field.title) {
  const value = form.valueOf(field);
  const isChanged = field.key in form.changes.value;
  return html`<label class="field ${field.type} ${isChanged ? "changed" : ""}" title=${field.help}><span>${title}${field.unit ? html` <i>${field.unit}</i>` : nothing}</span>${inputOf(form, field, value)}</label>`;
}

function inputOf(form: Form, field: FormField, value: Plain) {
  const text = value === null ? "" : String(value);
  if (field.type === "boolean") {
    return html`<input type="checkbox" .checked=${live(value === true)} @change=${(event: Event) => form.change(field, (event.target as HTMLInputElement).checked)}>`;
  }
  if (field.type === "choice") {
    return html`<select @change=${(event: Event) => form.change(field, (event.target as HTMLSelectElement).value)}>
      ${(field.choices ?? []).map((choice) => html`<option value=${choice} .selected=${choice === text}>${choice}</option>`)}</select>`;
  }
  const isNumber = field.type !== "text";
  const read = (event: Event) => {
    const given = (event.target as HTMLInputElement).value.trim();
    if (given === "" && field.value === null) form.change(field, null);
    else if (given !== "") form.change(field, isNumber ? Number(given) : given);
  };
  return html`<input type=${isNumber ? "number" : "text"} step=${field.type === "integer" ? "1" : "any"} min=${field.minimum ?? nothing} max=${field.maximum ?? nothing}
    maxlength=${isNumber ? nothing : "500"} .value=${live(text)} @change=${read}>`;
}
