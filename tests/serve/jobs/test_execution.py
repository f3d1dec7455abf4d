"""Stopping and going on: within a batch, and with the rounds of one uninterrupted run."""

from dataclasses import replace

import pytest

import tiny_runs
from unveil.errors import RecipeError
from unveil.serve.jobs import JobRequest, JobState, StateError, recipe_of
from unveil.stopping import MaxRounds, StopKind
from unveil.store import load_run
from workplaces import BOX_SETTINGS, Gate, all_events, boxed, open_workplace, picture, reference, tiny, wait_over


def to_rounds(rounds: int):
    return lambda recipe: replace(recipe, stop=MaxRounds(rounds))


@pytest.mark.parametrize("batch", [5, 6, 8, 9, 11, 14, 18, 25])
def test_stopping_takes_one_batch_and_going_on_gives_the_rounds_of_one_run(tmp_path, batch):
    """At any batch: of samples, of a round's regions, or the first prediction."""
    gate = Gate(block_at=batch)
    with open_workplace(tmp_path, gate) as workplace:
        image = workplace.add_image("a.png", [picture()])
        request = boxed(image)
        job = workplace.submit(request)
        assert gate.reached.wait(60)
        asked = workplace.stop(job.id)
        assert (asked.state, asked.stopping) == (JobState.RUNNING, True)
        gate.opened.set()
        stopped = wait_over(workplace, job.id)
        # The record's probe is one image more, if nothing was shown before.
        assert gate.batches - batch <= (1 if stopped.rounds == 0 else 0)
        assert (stopped.state, stopped.can_continue, stopped.stopping) == (JobState.STOPPED, True, False)
        run = workplace.run(job.id)
        assert stopped.rounds == len(run.rounds)
        assert run.stop.kind is StopKind.LEFT_EARLY
        workplace.go_on(job.id, 2)
        done = wait_over(workplace, job.id)
        expected = reference(workplace, request, Gate().classifier(), to_rounds(stopped.rounds + 2))
        assert done.state is JobState.FINISHED
        assert len(expected.rounds) == stopped.rounds + 2
        assert workplace.run(job.id) == expected == load_run(workplace.record_folder(job.id))
        assert workplace.run(job.id).recipe["stop"] == {"kind": "MaxRounds", "rounds": stopped.rounds + 2}
        assert expected.rounds[: stopped.rounds] == run.rounds


def test_going_on_does_not_compute_rounds_again(tmp_path):
    gate = Gate()
    with open_workplace(tmp_path, gate) as workplace:
        image = workplace.add_image("a.png", [picture()])
        job = workplace.submit(boxed(image, settings={"stop": {"kind": "MaxRounds", "rounds": 3}}))
        wait_over(workplace, job.id)
        before = gate.batches
        workplace.go_on(job.id, 1)
        wait_over(workplace, job.id)
        # 40 masks and the regions of one round, in batches of 8.
        assert gate.batches - before <= 7


def test_going_on_after_a_restart_gives_the_same(tmp_path):
    with open_workplace(tmp_path) as workplace:
        image = workplace.add_image("a.png", [picture()])
        request = tiny(image, settings={"stop": {"kind": "MaxRounds", "rounds": 2}})
        job = wait_over(workplace, workplace.submit(request).id)
        before = len(all_events(workplace, job.id))
    with open_workplace(tmp_path) as workplace:
        workplace.go_on(job.id, 2)
        done = wait_over(workplace, job.id)
        assert done.rounds == 4
        assert workplace.run(job.id) == reference(workplace, request, tiny_runs.classifier(), to_rounds(4))
        later = all_events(workplace, job.id)[before:]
        assert [event.data["number"] for event in later if event.kind == "round"] == [3, 4], "1 and 2 were told before"


def test_going_on_again_and_again_with_tracks_and_cards(tmp_path):
    with open_workplace(tmp_path) as workplace:
        image = workplace.add_image("a.png", [picture()])
        request = tiny(image, target="top:2", settings={"joint": False, "stop": {"kind": "MaxRounds", "rounds": 1}})
        job = wait_over(workplace, workplace.submit(request).id)
        for rounds in (2, 4):
            workplace.go_on(job.id, rounds - workplace.job(job.id).rounds // 2)
            wait_over(workplace, job.id)
            expected = reference(workplace, request, tiny_runs.classifier(), to_rounds(rounds))
            assert workplace.run(job.id) == expected
            assert expected.trust is not None


def test_a_rule_that_ended_a_run_does_not_end_it_again(tmp_path):
    """The target is lost after the first round; then two more rounds are wanted."""
    with open_workplace(tmp_path) as workplace:
        image = workplace.add_image("a.png", [picture()])
        stops = {
            "kind": "AnyOf",
            "stops": [{"kind": "MaxRounds", "rounds": 9}, {"kind": "CoverageAbove", "coverage": 0.0}],
        }
        request = tiny(image, settings={"stop": stops}, trust=False)
        job = wait_over(workplace, workplace.submit(request).id)
        assert workplace.run(job.id).stop.kind is StopKind.COVERAGE_ABOVE
        assert (job.rounds, job.can_continue) == (1, True)
        workplace.go_on(job.id, 2)
        wait_over(workplace, job.id)
        run = workplace.run(job.id)
        assert (len(run.rounds), run.stop.kind) == (3, StopKind.MAX_ROUNDS)
        assert run == reference(workplace, request, tiny_runs.classifier(), to_rounds(3))


def test_a_run_that_finds_nothing_more_does_not_go_on(tmp_path):
    with open_workplace(tmp_path) as workplace:
        image = workplace.add_image("a.png", [picture()])
        # Regions of half the image don't exist.
        settings = {"selector.min_area_share": 0.5, "target": {"kind": "Class", "label": 0}}
        job = wait_over(workplace, workplace.submit(tiny(image, settings=settings)).id)
        assert workplace.run(job.id).stop.kind is StopKind.NOTHING_FOUND
        assert not job.can_continue
        with pytest.raises(StateError, match="nothing more to find"):
            workplace.go_on(job.id, 1)


def test_stopping_during_the_trust_cards_keeps_all_rounds(tmp_path):
    settings = {key: value for key, value in BOX_SETTINGS.items() if key != "stop"} | {
        "stop": {"kind": "MaxRounds", "rounds": 2},
        "trust.placements": 19,
        "trust.adaptive": False,
    }
    counter = Gate()
    classifier = counter.classifier()
    gate = Gate()
    with open_workplace(tmp_path, gate) as workplace:
        image = workplace.add_image("a.png", [picture()])
        request = JobRequest(image.id, "gate", "black-box", settings, target="class:one")
        without = reference(
            workplace,
            replace(request, trust=False, settings={k: v for k, v in settings.items() if "trust" not in k}),
            classifier,
        )
        rounds_only = counter.batches
        gate.block_at = rounds_only + 3
        job = workplace.submit(request)
        assert gate.reached.wait(60)
        assert all_events(workplace, job.id)[-1].data.get("cards", True)
        workplace.stop(job.id)
        gate.opened.set()
        stopped = wait_over(workplace, job.id)
        assert gate.batches == gate.block_at
        run = load_run(workplace.record_folder(job.id))
        assert (stopped.state, stopped.rounds, run.trust) == (JobState.STOPPED, 2, None)
        assert run.rounds == without.rounds
        assert "trust cards" in stopped.message
        # The rules it had: only the cards are missing.
        workplace.go_on(job.id, 0)
        done = wait_over(workplace, job.id)
        expected = reference(workplace, request, Gate().classifier())
        assert (done.state, workplace.run(job.id)) == (JobState.FINISHED, expected)
        assert len(expected.trust.cards) == len(expected.regions) > 0


def test_rounds_after_trust_cards_do_not_depend_on_them(tmp_path):
    """Cards predict many views, which later rounds would otherwise find in the cache, in other batches."""
    with open_workplace(tmp_path) as workplace:
        image = workplace.add_image("a.png", [picture()])
        request = tiny(image, settings={"trust.placements": 30, "trust.adaptive": False})
        job = wait_over(workplace, workplace.submit(request).id)
        workplace.go_on(job.id, 2)
        wait_over(workplace, job.id)
        assert workplace.run(job.id) == reference(workplace, request, tiny_runs.classifier(), to_rounds(5))


def test_what_cannot_go_on_or_stop(tmp_path):
    gate = Gate(block_at=6)
    with open_workplace(tmp_path, gate) as workplace:
        image = workplace.add_image("a.png", [picture()])
        running, waiting = workplace.submit(boxed(image)), workplace.submit(tiny(image))
        assert gate.reached.wait(60)
        for job in (running, waiting):
            with pytest.raises(StateError):
                workplace.go_on(job.id, 1)
        assert workplace.stop(waiting.id).state is JobState.STOPPED
        with pytest.raises(StateError, match="nothing is left"):
            workplace.stop(waiting.id)
        workplace.stop(running.id)
        gate.opened.set()
        wait_over(workplace, running.id)
        for rounds in (-1, 1001):
            with pytest.raises(RecipeError):
                workplace.go_on(running.id, rounds)
        # What was stopped in the queue can still be done.
        workplace.go_on(waiting.id, 0)
        assert wait_over(workplace, waiting.id).rounds == 3
        with pytest.raises(RecipeError, match="at least 1"):
            workplace.go_on(waiting.id, 0)


def test_a_job_that_is_closed_while_running_is_done_next_time(tmp_path):
    gate = Gate(block_at=15)
    with open_workplace(tmp_path, gate) as workplace:
        image = workplace.add_image("a.png", [picture()])
        request = boxed(image, settings={"stop": {"kind": "MaxRounds", "rounds": 3}})
        job = workplace.submit(request)
        assert gate.reached.wait(60)
        gate.opened.set()
    assert gate.batches - 15 <= 1
    with open_workplace(tmp_path, Gate()) as workplace:
        done = wait_over(workplace, job.id)
        assert (done.state, workplace.run(job.id)) == (
            JobState.FINISHED,
            reference(workplace, request, Gate().classifier()),
        )
        assert [event.kind for event in all_events(workplace, job.id)].count("finished") == 1


def test_rounds_can_be_seen_while_a_job_runs(tmp_path):
    gate = Gate(block_at=16)
    with open_workplace(tmp_path, gate) as workplace:
        image = workplace.add_image("a.png", [picture()])
        request = boxed(image)
        job = workplace.submit(request)
        assert workplace.run(job.id) is None or workplace.run(job.id).rounds is not None
        assert gate.reached.wait(60)
        told = [event for event in all_events(workplace, job.id) if event.kind == "round"]
        run, current = workplace.run(job.id), workplace.job(job.id)
        assert len(run.rounds) == current.rounds == len(told) >= 1
        assert told[-1].data["version"] == current.version
        expected = reference(workplace, request, Gate().classifier(), to_rounds(current.rounds))
        assert run.rounds == expected.rounds
        assert run.preview is not None
        gate.opened.set()
        workplace.stop(job.id)
        wait_over(workplace, job.id)
        assert recipe_of(request).stop.most_rounds == 50
