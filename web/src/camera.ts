// The pointer on the stage: zoom and pan, window and level, and which region is under it.
import { select } from "d3-selection";
import { type D3ZoomEvent, zoom, zoomIdentity } from "d3-zoom";
import { effect } from "@preact/signals-core";
import type { AnyStage } from "./frame";
import { type Camera, type State, WHOLE } from "./state";

const LEAST = 0.5; // times the whole image
const MOST = 40;

export interface Pointer {
  zoomBy(factor: number): void;
  whole(): void;
  /** One pixel of the source on one of the screen. */
  natural(): void;
  stop(): void;
}

type Size = () => [number, number];

export function attachPointer(stage: AnyStage, state: State, size: Size, hasFocus: () => boolean): Pointer {
  const canvas = select<HTMLCanvasElement, unknown>(stage.canvas);
  const camera = state.shared.camera;
  let own = false; // whether a change of the camera comes from here
  const behavior = zoom<HTMLCanvasElement, unknown>()
    .scaleExtent([LEAST / 50, MOST])
    .extent(() => [[0, 0], size()])
    .filter((event) => accepts(event, state, hasFocus))
    .on("zoom", (event: D3ZoomEvent<HTMLCanvasElement, unknown>) => {
      own = true;
      camera.value = toCamera(event.transform, stage, size());
      own = false;
    });
  canvas.call(behavior);
  const follow = effect(() => {
    const now = camera.value;
    if (!own) canvas.property("__zoom", toTransform(now, stage, size()));
  });
  const stops = [follow, attachWindow(stage, state), attachHover(stage, state)];
  return {
    zoomBy: (factor) => (camera.value = { ...camera.value, zoom: clamp(camera.value.zoom * factor) }),
    whole: () => (camera.value = WHOLE),
    natural: () => (camera.value = { ...camera.value, zoom: Math.min(camera.value.zoom / Math.min(stage.frame.sx, stage.frame.sy), MOST) }),
    stop: () => {
      canvas.on(".zoom", null);
      for (const end of stops) end();
    },
  };
}

const clamp = (value: number) => Math.min(Math.max(value, LEAST), MOST);

function accepts(event: Event, state: State, hasFocus: () => boolean): boolean {
  if (state.scene.isVolume) return false; // its planes are as large as they can be
  // A plain wheel scrolls the page until somebody works with the viewer.
  if (event instanceof WheelEvent) return event.ctrlKey || event.metaKey || hasFocus();
  if (event.type.startsWith("touch")) return (event as TouchEvent).touches.length > 1 || hasFocus();
  return (event as MouseEvent).button === 0 && !state.windowTool.value && !state.tool.value;
}

/** The size of the whole image on the screen at a zoom of 1. */
function fitted(stage: AnyStage, zoomNow: number, state: { width: number; height: number }): [number, number] {
  return [(state.width * stage.frame.sx) / zoomNow, (state.height * stage.frame.sy) / zoomNow];
}

function toCamera(transform: { k: number; x: number; y: number }, stage: AnyStage, [width, height]: [number, number]): Camera {
  const [wide, high] = fitted(stage, stage.zoomNow, stage.sides);
  const center = (middle: number, moved: number) => (middle - moved) / transform.k - middle;
  return { zoom: transform.k, x: center(width / 2, transform.x) / wide + 0.5, y: center(height / 2, transform.y) / high + 0.5 };
}

function toTransform(camera: Camera, stage: AnyStage, [width, height]: [number, number]) {
  const [wide, high] = fitted(stage, stage.zoomNow, stage.sides);
  const moved = (middle: number, share: number, side: number) => middle - camera.zoom * ((share - 0.5) * side + middle);
  return zoomIdentity.translate(moved(width / 2, camera.x, wide), moved(height / 2, camera.y, high)).scale(camera.zoom);
}

/** Dragging with the right button, or the left one with the tool: across for the width, up and down for the level. */
function attachWindow(stage: AnyStage, state: State): () => void {
  const { canvas } = stage;
  let start: { x: number; y: number; low: number; high: number } | null = null;
  const down = (event: PointerEvent) => {
    if (event.button !== 2 && !(event.button === 0 && state.windowTool.value)) return;
    const [low, high] = stage.windowShares();
    start = { x: event.clientX, y: event.clientY, low, high };
    canvas.setPointerCapture(event.pointerId);
    canvas.focus();
  };
  const move = (event: PointerEvent) => {
    if (!start) return;
    const speed = (event.ctrlKey ? 0.1 : 1) / 400;
    const width = Math.max(0.002, start.high - start.low + (event.clientX - start.x) * speed);
    const level = (start.high + start.low) / 2 + (event.clientY - start.y) * speed;
    state.shared.window.value = [level - width / 2, level + width / 2];
  };
  const up = () => (start = null);
  const menu = (event: Event) => event.preventDefault();
  return listen(canvas, { pointerdown: down, pointermove: move, pointerup: up, pointercancel: up, contextmenu: menu });
}

function attachHover(stage: AnyStage, state: State): () => void {
  const { canvas } = stage;
  const { shared } = state;
  const at = (event: MouseEvent) => {
    const { sx, sy, ox, oy } = stage.frame;
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left - ox) / sx, (event.clientY - box.top - oy) / sy];
  };
  const under = (event: MouseEvent) => {
    const [x, y] = at(event);
    return state.scene.regionAt(x, y, (region) => state.isVisible(region))?.id ?? null;
  };
  const move = (event: PointerEvent) => {
    if (event.buttons) return;
    state.hovered.value = state.tool.value === "draws" ? null : under(event);
    const [x, y] = at(event);
    const { scene } = state;
    if (!scene.isVolume) shared.cursor.value = { from: state, x: x / scene.width, y: y / scene.height };
  };
  const leave = () => {
    state.hovered.value = null;
    shared.cursor.value = null;
  };
  const click = (event: MouseEvent) => {
    if (!event.defaultPrevented && !state.windowTool.value && !state.tool.value) state.pin(under(event));
  };
  return listen(canvas, { pointermove: move, pointerleave: leave, click });
}

/** Listen to several events; returns what ends it. */
export function listen(target: EventTarget, handlers: Record<string, (event: never) => unknown>): () => void {
  for (const [name, handler] of Object.entries(handlers)) target.addEventListener(name, handler as EventListener);
  return () => {
    for (const [name, handler] of Object.entries(handlers)) target.removeEventListener(name, handler as EventListener);
  };
}
