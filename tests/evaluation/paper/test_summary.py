"""Sums over rounds by hand, from real runs another way, and intervals against scipy."""

import numpy as np
import pytest
from handmade import handmade, inside, logit
from scipy import stats

from tiny_runs import run as tiny
from unveil.bootstrap import bounds, by_group, intervals, ratio
from unveil.evaluation.paper.summary import count_run, summarize_counts, summarize_runs
from unveil.predictions import Output

SHAPE = (6, 8)
SMALL, LARGE = inside(SHAPE, slice(0, 2), slice(0, 3)), inside(SHAPE, slice(2, 6), slice(0, 6))


def long_run():
    """Two rounds: the first label (a) loses 1 and then 2 logits; the second round has a rim and another leader."""
    return handmade(
        ["a", "b"],
        [[3.0, 0.0], [2.0, 0.0], [0.0, 1.0]],
        [[("a", SMALL)], [("a", LARGE)]],
        rims=[0.2, 0.6],
        stability=[None, 0.5],
    )


def short_run():
    """One round: the first label (b) gains a logit."""
    return handmade(["a", "b"], [[0.0, 1.0], [0.0, 2.0]], [[("b", LARGE)]], stability=[0.9])


def test_by_hand():
    result = summarize_runs([long_run(), short_run()]).as_dict()
    first, second = result["rounds"]
    sigmoid = np.array([1 / (1 + np.exp(-value)) for value in (3.0, 2.0, 1.0, 2.0, 0.0)])
    assert (first["round"], first["runs"], second["runs"], result["runs"]) == (1, 2, 1, 2)
    assert first["drop"] == pytest.approx((1 - 1) / 2)
    assert first["probability_drop"] == pytest.approx(((sigmoid[0] - sigmoid[1]) + (sigmoid[2] - sigmoid[3])) / 2)
    assert (first["kept_first"], second["kept_first"]) == (1, 0)
    assert second["drop"] == 2
    assert second["probability_drop"] == pytest.approx(sigmoid[1] - sigmoid[4])
    assert (first["rims"], second["rims"], result["rims_after_round_1"]) == (0, 1, 1)
    assert (first["stability"], second["stability"]) == (0.9, 0.5), "unknown ones are no zeros"
    assert first["revealed"] == 0.5
    assert first["coverage"] == pytest.approx((6 + 24) / 2 / 48)
    assert second["coverage"] == pytest.approx(30 / 48)
    assert result["final_coverage"] == pytest.approx((30 + 24) / 2 / 48)
    assert (result["regions"], result["stops"], result["machine"]) == (3, {"max rounds": 2}, ["paper"])
    assert count_run(long_run()).probability_lost == pytest.approx(sigmoid[0] - sigmoid[4])


def test_empty_inputs_give_none_and_not_zero():
    empty = handmade(["a"], [[logit(0.2)]])
    result = summarize_counts([count_run(empty)], ["one"]).as_dict()
    assert (result["runs"], result["rounds"], result["final_coverage"], result["rims_after_round_1"]) == (
        1,
        [],
        None,
        None,
    )
    no_region = handmade(["a"], [[1.0], [1.0]], [[]])
    (row,) = summarize_counts([count_run(no_region)], ["one"]).as_dict()["rounds"]
    assert (row["drop"], row["rims"], row["revealed"], row["stability"], row["drop_95"]) == (0, None, None, None, None)
    assert summarize_runs([]).as_dict()["rounds"] == []


def test_tracks_count_separately():
    run = tiny("plain, separate tracks")
    result = summarize_runs([run]).as_dict()
    assert result["runs"] == 1
    assert sum(result["stops"].values()) == len(run.tracks) == 3
    for row in result["rounds"]:
        done = [one for one in run.rounds if one.index == row["round"]]
        assert row["runs"] == len(done)
        assert row["coverage"] == pytest.approx(np.mean([one.coverage for one in done]))
        assert row["regions"] == sum(len(one.regions) for one in done)
    assert result["final_coverage"] == pytest.approx(
        np.mean([run.of_track(track)[-1].coverage for track in run.tracks])
    )


@pytest.mark.parametrize("output", list(Output))
def test_real_runs_another_way(output):
    runs = [tiny(name, output) for name in ("guided, joint, top 2", "no noise, a margin")]
    result = summarize_runs(runs).as_dict()
    for row in result["rounds"]:
        pairs = [(run, run.rounds[row["round"] - 1]) for run in runs if len(run.rounds) >= row["round"]]
        top = [int(np.argmax(run.first.logits)) for run, _ in pairs]
        drops = [one.before.logits[k] - one.after.logits[k] for k, (_, one) in zip(top, pairs, strict=True)]
        kept = [int(np.argmax(one.after.logits)) == k for k, (_, one) in zip(top, pairs, strict=True)]
        regions = [region for _, one in pairs for region in one.regions]
        assert row["drop"] == pytest.approx(np.mean(drops))
        assert row["kept_first"] == pytest.approx(np.mean(kept))
        if regions:
            assert row["rims"] == pytest.approx(np.mean([region.rim_share > 0.5 for region in regions]))
            assert row["revealed"] == pytest.approx(np.mean([region.revealed for region in regions]))


def test_intervals_are_those_of_scipy():
    rng = np.random.default_rng(4)
    under = rng.integers(0, 5, 40).astype(float)
    over = np.minimum(under, rng.integers(0, 4, 40)).astype(float)

    def of_sums(a, b, axis=-1):
        return a.sum(axis=axis) / b.sum(axis=axis)

    theirs = stats.bootstrap(
        (over, under),
        of_sums,
        paired=True,
        vectorized=True,
        method="percentile",
        n_resamples=20_000,
        random_state=np.random.default_rng(1),
    ).confidence_interval
    ours = intervals(over[:, None], under[:, None], seed=2, resamples=20_000)[:, 0]
    spread = theirs.high - theirs.low
    assert ours == pytest.approx([theirs.low, theirs.high], abs=0.02 * spread)


def test_an_interval_of_a_share_is_binomial():
    """n images that hit or not: the number of hits in a draw is binomial."""
    hits = np.repeat([1.0, 0.0], [30, 70])[:, None]
    low, high = intervals(hits, np.ones((100, 1)), resamples=4000)[:, 0]
    expected = stats.binom(100, 0.3).ppf([0.025, 0.975]) / 100
    assert (low, high) == pytest.approx(tuple(expected), abs=0.0101)


def test_groups_are_drawn_whole():
    """Ten patients with ten equal images each are ten observations, not a hundred."""
    patients = np.repeat(np.arange(10), 10)
    values = (patients < 5).astype(float)[:, None]
    together = by_group(values, patients.tolist())
    assert together[:, 0].tolist() == [10] * 5 + [0] * 5
    wide = intervals(together, by_group(np.ones((100, 1)), patients.tolist()))
    narrow = intervals(values, np.ones((100, 1)))
    expected = stats.binom(10, 0.5).ppf([0.025, 0.975]) / 10
    assert wide[:, 0] == pytest.approx(expected, abs=0.101)
    assert np.ptp(wide) > 2 * np.ptp(narrow)


def test_intervals_of_nothing_are_none():
    assert np.isnan(intervals(np.ones((1, 2)), np.ones((1, 2)))).all()
    result = intervals(np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 0.0]]))
    assert result[:, 0].tolist() == [1, 1], "draws without anything to divide by are left out"
    assert bounds(result[:, 1]) is None
    assert ratio(1, 0) is None


def test_the_same_seed_gives_the_same_interval():
    values = np.random.default_rng(0).random((20, 3))
    assert (intervals(values, np.ones((20, 3)), 5) == intervals(values, np.ones((20, 3)), 5)).all()
    result = summarize_counts([count_run(long_run()), count_run(short_run())], ["a", "b"]).as_dict()
    low, high = result["rounds"][0]["drop_95"]
    assert (low, high) == (-1, 1)
