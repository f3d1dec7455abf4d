// Keys: what each does, also as the list that the help shows.
import type { Pointer } from "./camera";
import type { AnyStage } from "./frame";
import type { Layer, Shared, State } from "./state";
import { sortedRegions } from "./table";

const HELP: [string, string][] = [
  ["\u2190 \u2192", "round before, after"],
  ["1 \u2026 9", "jump to a round"],
  ["\u2191 \u2193", "region before, after"],
  ["Shift or H", "hide all overlays while held"],
  ["O S M D", "original, saliency, model input, difference"],
  ["I", "invert"],
  ["W F", "window to the values, full range"],
];
const ZOOM: [string, string][] = [["+ \u2212 = 0", "zoom in, out, whole image, 1:1"]];
const SLICES: [string, string][] = [
  ["PgUp PgDn", "slice before, after"],
  ["Home End", "first, last slice"],
  ["P", "other plane for these keys"],
];
const REST: [string, string][] = [
  ["Space", "reset the view"],
  ["Esc", "choose no region"],
  ["?", "this list"],
];

/** The keys that mean something for a run, and what. */
export function helpOf(state: State, more: [string, string][] = []): [string, string][] {
  return [...HELP, ...more, ...(state.scene.isVolume ? SLICES : ZOOM), ...REST];
}

const LAYERS: Record<string, Layer> = { o: "original", s: "saliency", m: "model", d: "difference" };

export interface Actions {
  state: State;
  stage: AnyStage;
  pointer: Pointer;
  reset: () => void;
  help: () => void;
  more: Record<string, () => void>;
}

/** Does what a key stands for; false for keys that mean nothing here. */
export function pressKey(event: KeyboardEvent, actions: Actions): boolean {
  const { state, stage, pointer } = actions;
  const target = event.composedPath()[0] as HTMLElement;
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  if (event.key === "Shift" || event.key.toLowerCase() === "h") {
    state.hidden.value = true;
    return true;
  }
  if (target.tagName === "INPUT" && (event.key.startsWith("Arrow") || event.key === " ")) return false;
  if (event.key === " " && /^(BUTTON|SUMMARY|SELECT)$/.test(target.tagName)) return false;
  const layer = LAYERS[event.key.toLowerCase()];
  if (layer) {
    state.layer.value = layer;
    state.say({ original: "Original image", saliency: "Saliency", model: "Model input", difference: "Difference" }[layer]);
    return true;
  }
  if (/^[1-9]$/.test(event.key)) {
    state.setRound(Number(event.key));
    return true;
  }
  const action = plain(event.key, actions, state, stage, pointer);
  action?.();
  return action !== undefined;
}

function plain(key: string, actions: Actions, state: State, stage: AnyStage, pointer: Pointer): (() => void) | undefined {
  const window = state.shared.window;
  const table: Record<string, () => void> = {
    ArrowLeft: () => state.setRound(state.round.value - 1),
    ArrowRight: () => state.setRound(state.round.value + 1),
    ArrowUp: () => state.step(visible(state), -1),
    ArrowDown: () => state.step(visible(state), 1),
    i: () => (state.shared.invert.value = !state.shared.invert.value),
    w: () => (window.value = stage.windowShares(true)),
    f: () => (window.value = [0, 1]),
    "+": () => pointer.zoomBy(1.4),
    "-": () => pointer.zoomBy(1 / 1.4),
    "=": () => pointer.whole(),
    "0": () => pointer.natural(),
    " ": () => actions.reset(),
    Escape: () => state.pin(null),
    "?": () => actions.help(),
    ...stage.keys,
    ...actions.more,
  };
  return table[key.length === 1 ? key.toLowerCase() : key];
}

function visible(state: State) {
  return sortedRegions(state).filter((region) => region.track === state.track.value);
}

/** The end of holding a key. */
export function releaseKey(event: KeyboardEvent, shared: Shared): void {
  if (event.key === "Shift" || event.key.toLowerCase() === "h") shared.hidden.value = false;
}
