// The address: which run, round and region are shown, as #job=…&round=…&region=….
import { effect, untracked } from "@preact/signals-core";
import type { Bench } from "./bench";
import type { Store } from "./store";

interface Place {
  job: string | null;
  round: number;
  region: string | null;
}

export function readPlace(hash: string): Place {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  return { job: given.get("job") || null, round: Math.max(0, Math.floor(Number(given.get("round"))) || 0), region: given.get("region") || null };
}

export function writePlace({ job, round, region }: Place): string {
  const parts = new URLSearchParams();
  if (job) parts.set("job", job);
  if (round) parts.set("round", String(round));
  if (region) parts.set("region", region);
  return parts.size ? `#${parts}` : "";
}

/** Keep the address and what is shown the same. */
export function followPlace(store: Store, bench: Bench): void {
  let wanted: Place | null = readPlace(location.hash);
  let shown = wanted.job;
  store.current.value = wanted.job;
  const apply = () => {
    const state = bench.single.value?.state;
    if (!state || !wanted || wanted.job !== store.current.value) return;
    const { round, region } = wanted;
    wanted = null;
    untracked(() => {
      if (region) state.pin(region);
      if (round) state.setRound(round);
    });
  };
  effect(() => {
    void bench.single.value;
    apply();
  });
  effect(() => {
    const job = store.current.value;
    const state = bench.single.value?.state;
    if (wanted && wanted.job === job) return; // not shown yet
    const hash = writePlace({ job, round: state?.round.value ?? 0, region: state?.pinned.value ?? null });
    if (hash === location.hash) return;
    const address = hash || location.pathname;
    if (job === shown) history.replaceState(null, "", address);
    else history.pushState(null, "", address);
    shown = job;
  });
  addEventListener("popstate", () => {
    wanted = readPlace(location.hash);
    shown = wanted.job;
    store.open(wanted.job);
    apply();
  });
}
