"""Rates and times of what is left, with a clock of the test."""

from unveil.batch.progress import ProgressCount


def test_the_rate_counts_this_call_alone():
    now = [100.0]
    count = ProgressCount(1000, 600, lambda: now[0])
    assert count.now(0).items_per_second is None
    now[0] = 150.0  # loading the model isn't work
    count.begin()
    now[0] = 160.0
    count.begin()
    count.add(45, 5)
    state = count.now(2)
    # 50 items in 10 s; 350 are left.
    assert (state.items_done, state.failed, state.shards_done, state.workers) == (650, 5, 1, 2)
    assert state.items_per_second == 5 and state.seconds_left == 70


def test_items_of_unfinished_shards_count_until_they_are_lost():
    now = [0.0]
    count = ProgressCount(100, 0, lambda: now[0])
    count.begin()
    now[0] = 2.0
    count.see(0, 3)
    count.see(1, 4)
    count.see(0, 5)
    assert count.now(2).items_done == 9
    count.drop(1)
    assert count.now(1).items_done == 5
    count.drop(0)
    count.add(8, 0)
    assert count.now(1).items_done == 8 and count.now(1).seconds_left == 23
