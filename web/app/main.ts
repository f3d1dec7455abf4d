// The web application: puts its parts together and draws the page whenever something changes.
import { effect, signal, untracked } from "@preact/signals-core";
import { render } from "lit-html";
import { agreementView } from "./agreement";
import { getJson } from "./api";
import { Bench } from "./bench";
import { Brush } from "./brush";
import { Form } from "./form";
import { Judging } from "./judging";
import { attachKeys, keysView } from "./keys";
import { Page } from "./page";
import { followPlace } from "./place";
import { Store } from "./store";
import type { Agreement } from "./types";
import { Uploads } from "./upload";
import { WhatIfs } from "./whatif";

function dialogOf(name: string): HTMLDialogElement {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-label", name);
  document.body.append(dialog);
  return dialog;
}

function start(root: HTMLElement): void {
  const store = new Store();
  const help = dialogOf("Keys");
  const table = dialogOf("Agreement");
  const agreement = signal<Agreement | null>(null);
  const failed = signal(false);
  const showHelp = () => {
    render(keysView(bench.single.value?.help() ?? [], () => help.close()), help);
    help.showModal();
  };
  const showAgreement = () => {
    [agreement.value, failed.value] = [null, false];
    table.showModal();
    void store.attempt(async () => void (agreement.value = await getJson<Agreement>("/api/agreement"))).then((ok) => (failed.value = !ok));
  };
  const bench = new Bench(showHelp);
  const form = new Form(store);
  const uploads = new Uploads(store, (image) => (form.image.value = image));
  const whatIfs = new WhatIfs(store, new Brush(store, bench.single));
  const judging = new Judging(store, bench.single);
  const page = new Page({ store, form, uploads, bench, whatIfs, judging, showHelp, showAgreement });
  uploads.attach(document);
  attachKeys(page);
  followPlace(store, bench);
  effect(() => {
    const job = store.current.value;
    untracked(() => {
      bench.clear();
      whatIfs.load(job ?? "");
      judging.reset();
      page.setMode(page.mode.value);
    });
  });
  effect(() => {
    const shown = store.view.value;
    if (shown) untracked(() => show(shown.job, shown.text));
  });
  const show = (job: string, text: string) => {
    try {
      bench.show(job, text);
    } catch (error) {
      store.refuse(error);
    }
  };
  effect(() => {
    const name = store.job.value?.image_name;
    document.title = name ? `${name} \u00b7 unveil` : "unveil";
  });
  effect(() => void render(agreementView(agreement.value, failed.value, () => table.close()), table));
  effect(() => void render(page.view(), root));
  effect(() => void render(page.toolsView(), bench.tools));
  void store.begin();
}

const root = document.getElementById("page");
if (root) start(root);
