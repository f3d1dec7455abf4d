// The strip of rounds: a small picture of each round, what the model saw and the regions found in it.
import { html, nothing } from "lit-html";
import { contextOf, inflate, makeCanvas } from "./blobs";
import { toPath, traceContours } from "./contours";
import { decodeMask, sliceVolume } from "./masks";
import { CASING } from "./outlines";
import { ON_IMAGE, percent } from "./scales";
import type { State } from "./state";

const HEIGHT = 56;
const WIDEST = 110;

export class Strip {
  private readonly pictures = new Map<string, HTMLCanvasElement>();

  constructor(private readonly state: State) {}

  view() {
    const { state } = this;
    const rounds = state.rounds.value;
    if (rounds.length < 2) return nothing;
    return html`<div class="strip" role="group" aria-label="Rounds">${rounds.map((round, place) => {
      const found = state.regions.filter((region) => region.track === round.track && region.round === place + 1).length;
      const text = `Round ${place + 1}: ${found} region${found === 1 ? "" : "s"}, ${percent(round.coverage)} erased after it`;
      const chosen = state.round.value === place + 1;
      return html`<button aria-pressed=${chosen} aria-label=${text} title=${text}
        @click=${() => state.setRound(chosen ? 0 : place + 1)}>${this.picture(place + 1)}<span>${place + 1}</span></button>`;
    })}</div>`;
  }

  private picture(round: number): HTMLCanvasElement {
    const key = `${this.state.track.value} ${round}`;
    const known = this.pictures.get(key);
    if (known) return known;
    const made = makeCanvas(1, 1);
    made.setAttribute("aria-hidden", "true");
    this.pictures.set(key, made);
    // A picture that can't be decoded stays empty; the stage says why.
    void this.draw(made, this.state.track.value, round).catch(() => undefined);
    return made;
  }

  private async draw(canvas: HTMLCanvasElement, track: number, round: number): Promise<void> {
    const { scene } = this.state;
    const { geometry } = scene.view.source;
    const [rows, columns] = geometry.model_shape.slice(-2);
    const [sy, sx] = geometry.scale.slice(-2);
    const ratio = ((columns * sx * scene.aspect[0]) / (rows * sy * scene.aspect[1]));
    const [wide, high] = ratio * HEIGHT > WIDEST ? [WIDEST, WIDEST / ratio] : [ratio * HEIGHT, HEIGHT];
    const dense = window.devicePixelRatio || 1;
    [canvas.width, canvas.height] = [Math.round(wide * dense), Math.round(high * dense)];
    [canvas.style.width, canvas.style.height] = [`${wide}px`, `${high}px`];
    const regions = scene.view.regions.filter((region) => region.track === track && region.round === round);
    const context = contextOf(canvas);
    context.imageSmoothingQuality = "high";
    const cut = (values: Uint8Array) => (scene.isVolume ? sliceVolume(values, geometry.model_shape, 0, at) : values);
    const middle = regions[0]?.box ? (regions[0].box.start[0] + regions[0].box.stop[0]) / 2 : geometry.source_shape[0] / 2;
    const at = Math.min(Math.max(Math.floor((middle - geometry.offset[0]) / geometry.scale[0]), 0), geometry.model_shape[0] - 1);
    context.drawImage(scene.isVolume ? await this.plane(track, round, cut) : await scene.modelImage(track, round), 0, 0, canvas.width, canvas.height);
    for (const region of regions) {
      const outlines = traceContours(cut(decodeMask(region.model_mask)), rows, columns);
      const path = toPath(outlines, canvas.width / columns, canvas.height / rows);
      for (const [width, color] of [[3 * dense, CASING], [1.5 * dense, ON_IMAGE[this.state.colorOf(region) % ON_IMAGE.length]]] as const) {
        [context.lineWidth, context.strokeStyle] = [width, color];
        context.stroke(path);
      }
    }
  }

  private async plane(track: number, round: number, cut: (values: Uint8Array) => Uint8Array): Promise<HTMLCanvasElement> {
    const { scene } = this.state;
    const [, rows, columns] = scene.view.source.geometry.model_shape;
    const values = cut((await inflate(scene.rounds(track)[round - 1].image)) as Uint8Array);
    const made = makeCanvas(columns, rows);
    const pixels = new ImageData(columns, rows);
    values.forEach((value, index) => pixels.data.set([value, value, value, 255], index * 4));
    contextOf(made).putImageData(pixels, 0, 0);
    return made;
  }
}
