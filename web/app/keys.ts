// Keys of the page; those that mean nothing here go on to the viewer.
import { html } from "lit-html";
import type { Tool } from "./brush";
import { ANSWERS } from "./judgeview";
import type { Page } from "./page";

const TOOL_KEYS: Record<string, Tool> = { v: "move", b: "brush", e: "eraser", l: "lasso" };

export const PAGE_KEYS: [string, [string, string][]][] = [
  ["What if", [
    ["B E L", "brush, eraser, lasso"],
    ["R", "hide the chosen region"],
    ["[ ]", "smaller, larger brush"],
    ["Ctrl+Z Ctrl+Y", "undo, redo"],
    ["Enter", "ask what changes"],
    ["V or Esc", "put the tool away"],
  ]],
  ["Judge", [
    ["A X U", "accept, reject, unsure; then the next region"],
    ["N", "write a note"],
  ]],
];

const isText = (element: HTMLElement) => element.tagName === "TEXTAREA" || element.tagName === "SELECT" || (element.tagName === "INPUT" && !/^(range|checkbox)$/.test((element as HTMLInputElement).type));

/** Listen to the keys of the page. */
export function attachKeys(page: Page): void {
  document.addEventListener("keydown", (event) => {
    const target = event.composedPath()[0] as HTMLElement;
    if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
    if (target.tagName === "TEXTAREA" && (event.key === "Escape" || (event.key === "Enter" && (event.ctrlKey || event.metaKey)))) leaveNote(page, target, event);
    if (isText(target)) return;
    if (pressHere(event, page, target) || pressViewer(event, page, target)) event.preventDefault();
  }, { capture: true });
}

function leaveNote(page: Page, target: HTMLElement, event: KeyboardEvent): void {
  event.preventDefault();
  target.blur(); // which keeps what was written
  focusStage(page);
}

/** Tools act on the image, so the next key does too, and no button that happened to have the focus. */
function focusStage(page: Page): void {
  page.parts.bench.single.value?.pane.stage.canvas.focus({ preventScroll: true });
}

/** Does what a key means on the page; true if it means something. */
function pressHere(event: KeyboardEvent, page: Page, target: HTMLElement): boolean {
  const { bench, whatIfs, judging, showHelp } = page.parts;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const single = bench.single.value;
  if (event.ctrlKey || event.metaKey) {
    if (!single || event.altKey || (key !== "z" && key !== "y")) return false;
    if (key === "y" || event.shiftKey) whatIfs.brush.strokes.redo();
    else whatIfs.brush.strokes.undo();
    return true;
  }
  if (event.altKey) return false;
  if (key === "?") {
    showHelp();
    return true;
  }
  if (!single) return false;
  const { brush } = whatIfs;
  const answer = ANSWERS.find(([, , letter]) => letter.toLowerCase() === key);
  if (answer) {
    const isJudging = page.mode.value === "judge";
    page.setMode("judge");
    if (isJudging) void judging.answer(answer[0]);
    else if (!judging.region()) single.state.pin(judging.next(null)?.id ?? null);
    return true;
  }
  if (key in TOOL_KEYS) {
    page.setMode("whatif");
    brush.tool.value = TOOL_KEYS[key];
    focusStage(page);
    return true;
  }
  if (key === "r") {
    page.setMode("whatif");
    brush.addRegion(single.state.pinned.value);
    focusStage(page);
    return true;
  }
  if (key === "n") {
    page.setMode("judge");
    if (!judging.region()) single.state.pin(judging.next(null)?.id ?? null);
    document.querySelector<HTMLTextAreaElement>(".note textarea")?.focus(); // at once, so that what is typed next is text
    return true;
  }
  if (page.mode.value === "whatif") {
    if (key === "[" || key === "]") return brush.resize(key === "]" ? 1 : -1), true;
    if (key === "Escape" && brush.tool.value !== "move") return (brush.tool.value = "move"), true;
    if (key === "Enter" && !/^(BUTTON|SUMMARY|A)$/.test(target.tagName)) return void whatIfs.ask(), true;
  }
  return false;
}

/** Keys of the viewer work where the page has no use for them; inside of it, it hears them itself. */
function pressViewer(event: KeyboardEvent, page: Page, target: HTMLElement): boolean {
  const { bench } = page.parts;
  const single = bench.single.value;
  if (!single || event.composedPath().includes(bench.element) || target.closest("[role=radiogroup], details[open]")) return false;
  if (!/^(Arrow|[1-9]$|[osmdiwf]$)/i.test(event.key) || event.key === "Shift") return false;
  single.press(event);
  return event.defaultPrevented;
}

/** All keys, of the page and of the viewer. */
export function keysView(viewer: [string, string][], close: () => void) {
  const groups: [string, [string, string][]][] = [...(viewer.length ? [["Look", viewer] as [string, [string, string][]]] : []), ...PAGE_KEYS];
  return html`<form method="dialog" class="keys"><h2>Keys</h2>
    <div class="groups">${groups.map(([name, keys]) => html`<section><h3>${name}</h3><dl>${keys.map(([key, text]) => html`
      <div><dt>${key.split(" ").map((one) => (/^(or|\u2026)$/.test(one) ? html`<span>${one}</span>` : html`<kbd>${one}</kbd>`))}</dt><dd>${text}</dd></div>`)}</dl></section>`)}</div>
    <p class="quiet">Drag to move the image, Ctrl and the wheel to zoom. Drag with the right button for window (across) and level (up and down).</p>
    <button type="button" class="primary" @click=${close}>Close</button></form>`;
}
