// The frame: where the source lies on a canvas.
import type { State } from "./state";

/** From pixels of the source to pixels of the canvas (CSS): x · sx + ox, y · sy + oy. */
export interface Frame {
  sx: number;
  sy: number;
  ox: number;
  oy: number;
  width: number;
  height: number;
}

/** Where the camera puts the source on a canvas of this size. */
export function frameOf(state: State, width: number, height: number): Frame {
  const { scene, shared } = state;
  const { zoom, x, y } = shared.camera.value;
  const wide = scene.width * scene.aspect[0];
  const high = scene.height * scene.aspect[1];
  const scale = Math.min(width / wide, height / high) * zoom;
  const [sx, sy] = [scale * scene.aspect[0], scale * scene.aspect[1]];
  return { sx, sy, ox: width / 2 - x * scene.width * sx, oy: height / 2 - y * scene.height * sy, width, height };
}

export function keyOf(frame: Frame): string {
  return Object.values(frame).join(" ");
}

/** What a stage has left to do after it was drawn: nothing, more in the next frame, or more once nothing moves. */
export type Left = "nothing" | "more" | "rest";

/** The slice across one axis; `chosen`: whether keys move it. */
export interface Slice {
  name: string;
  at: number;
  count: number;
  chosen: boolean;
  go: (at: number) => void;
}

/** What both stages offer to those around them. */
export interface AnyStage {
  readonly canvas: HTMLCanvasElement;
  readonly frame: Frame;
  readonly zoomNow: number;
  readonly sides: { width: number; height: number };
  /** What keys do on this stage alone. */
  readonly keys: Record<string, () => void>;
  /** The largest difference of the layer of that name, in steps of the image; 0 where it isn't known. */
  readonly differenceLimit: number;
  /** The window as shares of the range; `auto`: the shares that suit the values. */
  windowShares(auto?: boolean): [number, number];
  /** The slices that a volume shows, one per axis, and the point in mm where the file says how. */
  slices(): Slice[];
  place(): string;
  prepare(): Promise<void>;
  resize(width: number, height: number): void;
  draw(width: number, height: number): Left;
}
