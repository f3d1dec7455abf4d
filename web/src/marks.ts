// Marks: what is pointed at, as classes of elements that are there already, so that pointing renders nothing again.
import type { State } from "./state";

/** Mark the rows of regions and the curves of labels. */
export function markElements(root: HTMLElement, state: State): void {
  const active = state.active.value;
  const visible = new Set(state.regions.filter((region) => state.isVisible(region)).map((region) => region.id));
  for (const row of root.querySelectorAll<HTMLElement>("tr[data-row]")) {
    const id = row.dataset.row ?? "";
    row.classList.toggle("active", id === active);
    row.classList.toggle("quiet", !visible.has(id));
  }
  const hovered = state.activeLabel.value;
  const region = state.activeRegion.value;
  const own = region ? (state.scene.view.targets[region.target]?.class_index ?? null) : null;
  for (const curve of root.querySelectorAll<SVGElement>("g[data-label]")) {
    const label = Number(curve.dataset.label);
    const isActive = hovered === label || own === label;
    curve.classList.toggle("active", isActive);
    curve.classList.toggle("faded", !isActive && (hovered !== null || own !== null));
  }
}
