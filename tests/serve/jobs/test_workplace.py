"""Jobs from submission to record, compared with `find_regions`."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

import tiny_runs
from unveil.classifiers import load_classifier
from unveil.errors import RecipeError, RecordError, TargetError
from unveil.recipes import demo
from unveil.serve.jobs import (
    AskTimeoutError,
    FolderInUseError,
    JobRequest,
    JobState,
    NotFoundError,
    QueueFullError,
    StateError,
    recipe_of,
)
from unveil.serve.jobs import workplace as workplace_module
from unveil.stopping import MaxRounds, StopKind
from unveil.store import is_run, load_run
from unveil.view import make_view
from workplaces import (
    Gate,
    all_events,
    boxed,
    open_workplace,
    picture,
    plain,
    reference,
    scene_png,
    tiny,
    wait_for,
    wait_over,
)


def test_a_job_gives_the_run_of_find_regions(tmp_path):
    with open_workplace(tmp_path) as workplace:
        image = workplace.add_image("dog.png", [picture()])
        request = tiny(image, seed=3, target="top:2")
        submitted = workplace.submit(request)
        assert (submitted.state, submitted.rounds, submitted.image_name) == (JobState.QUEUED, 0, "dog.png")
        job = wait_over(workplace, submitted.id)
        expected = reference(workplace, request, tiny_runs.classifier())
        assert job.state is JobState.FINISHED
        assert job.rounds == len(expected.rounds) == 3
        assert workplace.run(job.id) == expected == load_run(workplace.record_folder(job.id))
        assert job.message == expected.stop.text
        assert job.started is not None
        assert job.created <= job.started <= job.finished
        view = make_view(load_run(workplace.record_folder(job.id)))
        assert workplace.view(job.id) == view.to_bytes()


def test_the_recipe_and_its_changes_are_applied(tmp_path):
    with open_workplace(tmp_path) as workplace:
        image = workplace.add_image("scene.png", [scene_png()])
        request = JobRequest(image.id, "demo", "demo", {"stop.stops.0.rounds": 2}, trust=False)
        job = wait_over(workplace, workplace.submit(request).id)
        stop = demo().stop
        recipe = replace(demo(), stop=replace(stop, stops=(MaxRounds(2), *stop.stops[1:])), trust=None)
        expected = reference(workplace, request, load_classifier("planted/demo"), lambda _: recipe)
        assert workplace.run(job.id) == expected
        assert workplace.run(job.id).stop.kind is StopKind.MAX_ROUNDS


def test_separate_tracks_are_told_round_by_round(tmp_path):
    with open_workplace(tmp_path) as workplace:
        image = workplace.add_image("a.png", [picture()])
        request = tiny(image, target="top:3", trust=False, settings={"joint": False})
        job = wait_over(workplace, workplace.submit(request).id)
        expected = reference(workplace, request, tiny_runs.classifier())
        assert len(expected.tracks) == 3
        assert workplace.run(job.id) == expected
        rounds = [event.data for event in all_events(workplace, job.id) if event.kind == "round"]
        assert [data["number"] for data in rounds] == list(range(1, len(expected.rounds) + 1))
        assert [data["regions"] for data in rounds] == [len(round_.regions) for round_ in expected.rounds]
        assert [data["gained"] for data in rounds] == [list(expected.appeared(round_)) for round_ in expected.rounds]
        assert [data["lost"] for data in rounds] == [list(expected.disappeared(round_)) for round_ in expected.rounds]


def test_events_tell_what_happened_once_and_in_order(tmp_path):
    with open_workplace(tmp_path) as workplace:
        image = workplace.add_image("a.png", [picture()])
        jobs = [workplace.submit(tiny(image, seed=seed)).id for seed in range(3)]
        for job in jobs:
            wait_over(workplace, job)
        events = all_events(workplace)
        ids = [event.id for event in events]
        assert ids == sorted(set(ids))
        for job in jobs:
            own = [event for event in events if event.job == job]
            assert own == all_events(workplace, job)
            kinds = [event.kind for event in own if event.kind != "progress"]
            assert kinds == ["state", "state", "state", "round", "round", "round", "state", "finished"]
            states = [event.data["state"] for event in own if event.kind == "state"]
            assert states == ["queued", "running", "running", "finished"]
            versions = [event.data["version"] for event in own if "version" in event.data]
            assert versions == sorted(versions)
            assert versions[-1] == workplace.job(job).version
        assert workplace.last_event == ids[-1]


def test_what_is_refused_at_once(tmp_path):
    with open_workplace(tmp_path) as workplace:
        image = workplace.add_image("a.png", [picture()])
        good = tiny(image)
        for wrong, error in (
            (replace(good, image="0" * 32), NotFoundError),
            (replace(good, image="../../etc/passwd"), NotFoundError),
            (replace(good, model="other"), NotFoundError),
            (replace(good, recipe="other"), RecipeError),
            (replace(good, settings={"nothing": 1}), RecipeError),
            (replace(good, seed=-1), RecipeError),
            (replace(good, target="top:many"), TargetError),
            (replace(good, target="x" * 2000), TargetError),
        ):
            with pytest.raises(error):
                workplace.submit(wrong)
        assert workplace.jobs() == []
        workplace.load("tiny")
        wait_for(lambda: workplace.classifier_info("tiny"))
        with pytest.raises(TargetError, match="labels"):
            workplace.submit(replace(good, target="class:unicorn"))


def test_an_unknown_target_of_a_classifier_that_was_not_loaded_fails_the_job(tmp_path):
    with open_workplace(tmp_path) as workplace:
        image = workplace.add_image("a.png", [picture()])
        wrong, right = workplace.submit(tiny(image, target="class:unicorn")), workplace.submit(tiny(image))
        job = wait_over(workplace, wrong.id)
        assert job.state is JobState.FAILED
        assert "unicorn" in job.message
        assert "\n" not in job.message
        assert workplace.run(wrong.id) is None
        assert workplace.view(wrong.id) is None
        assert wait_over(workplace, right.id).state is JobState.FINISHED


@pytest.mark.parametrize("kind", [RuntimeError, SystemExit, RecursionError])
def test_a_network_that_raises_fails_its_job_and_no_other(tmp_path, kind):
    class Broken(Gate):
        def __call__(self, images):
            if self.batches >= 12:
                raise kind("out of\nluck \x1b[31m")
            return super().__call__(images)

    with open_workplace(tmp_path, Broken()) as workplace:
        image = workplace.add_image("a.png", [picture()])
        bad, good = workplace.submit(boxed(image)), workplace.submit(tiny(image))
        job = wait_over(workplace, bad.id)
        assert job.state is JobState.FAILED
        assert "out of" in job.message
        assert job.message.isprintable()
        assert wait_over(workplace, good.id).state is JobState.FINISHED


def test_a_classifier_that_cannot_be_loaded_is_told_and_tried_again(tmp_path):
    tries = []

    class Once(Gate):
        def classifier(self):
            tries.append(threading.current_thread().name)
            if len(tries) == 1:
                raise OSError("no weights there")
            return super().classifier()

    with open_workplace(tmp_path, Once()) as workplace:
        image = workplace.add_image("a.png", [picture()])
        request = boxed(image, settings={"stop": {"kind": "MaxRounds", "rounds": 1}})
        assert workplace.classifier_info("gate") is None
        first = wait_over(workplace, workplace.submit(request).id)
        assert (first.state, "no weights there" in first.message) == (JobState.FAILED, True)
        assert wait_over(workplace, workplace.submit(request).id).state is JobState.FINISHED
        told = [event.data for event in all_events(workplace) if event.kind == "model"]
        assert [data["model"] for data in told] == ["gate", "gate"]
        assert "no weights there" in told[0]["error"]
        assert told[1]["error"] is None
        assert set(tries) == {"unveil-jobs"}
        info = workplace.classifier_info("gate")
        assert info == {"labels": ["one", "other"], "output": "softmax", "grid": [32, 32], "channels": 3}
        assert plain(info) == info


def test_callers_never_run_a_network(tmp_path):
    gate = Gate()
    with open_workplace(tmp_path, gate) as workplace:
        image = workplace.add_image("a.png", [picture()])
        job = workplace.submit(boxed(image, settings={"stop": {"kind": "MaxRounds", "rounds": 2}}))
        while not workplace.job(job.id).state.is_over:
            workplace.run(job.id)
            workplace.view(job.id)
        workplace.ask(
            job.id, lambda context: context.masked.predict([context.masked.view(context.erased_of(context.tracks[0]))])
        )
    assert gate.threads == {"unveil-jobs"}


def test_the_queue_has_a_limit_and_an_order(tmp_path):
    gate = Gate(block_at=6)
    with open_workplace(tmp_path, gate, queue_limit=3) as workplace:
        image = workplace.add_image("a.png", [picture()])
        running = workplace.submit(boxed(image, settings={"stop": {"kind": "MaxRounds", "rounds": 1}}))
        assert gate.reached.wait(60)
        waiting = [workplace.submit(tiny(image, seed=seed)).id for seed in range(3)]
        with pytest.raises(QueueFullError, match="at most 3"):
            workplace.submit(tiny(image, seed=9))
        workplace.stop(waiting[1])
        last = workplace.submit(tiny(image, seed=9)).id
        with pytest.raises(QueueFullError):
            workplace.go_on(waiting[1], 2)
        gate.opened.set()
        for job in (running.id, waiting[0], waiting[2], last):
            assert wait_over(workplace, job).state is JobState.FINISHED
        begun = sorted(
            (workplace.job(job) for job in (running.id, waiting[0], waiting[2], last)), key=lambda job: job.started
        )
        assert [job.id for job in begun] == [running.id, waiting[0], waiting[2], last]
        assert workplace.job(waiting[1]).state is JobState.STOPPED
        newest = [job.id for job in workplace.jobs()]
        assert newest == [last, *reversed(waiting), running.id]
        assert [job.id for job in workplace.jobs(limit=2, before=waiting[2])] == [waiting[1], waiting[0]]
        with pytest.raises(NotFoundError):
            workplace.jobs(before="0" * 16)


def test_one_server_per_folder(tmp_path):
    with open_workplace(tmp_path) as workplace:
        with pytest.raises(FolderInUseError, match="another server works"):
            open_workplace(tmp_path)
        image = workplace.add_image("a.png", [picture()])
        assert wait_over(workplace, workplace.submit(tiny(image)).id).state is JobState.FINISHED
    open_workplace(tmp_path).close()


def test_a_folder_that_cannot_be_used_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError):
        open_workplace(tmp_path / "file")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "jobs.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(RecordError):
        open_workplace(tmp_path / "other")
    newer = sqlite3.connect(tmp_path / "jobs.sqlite")
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(RecordError, match="update unveil"):
        open_workplace(tmp_path)


def test_history_outlives_the_server(tmp_path):
    with open_workplace(tmp_path) as workplace:
        image = workplace.add_image("a.png", [picture()])
        job = wait_over(workplace, workplace.submit(tiny(image)).id)
        before = workplace.run(job.id), workplace.view(job.id), all_events(workplace), workplace.images()
    with open_workplace(tmp_path) as workplace:
        assert workplace.job(job.id) == job
        assert (workplace.run(job.id), workplace.view(job.id), all_events(workplace), workplace.images()) == before
        later = workplace.emit(job.id, "note", {"text": "later"})
        assert later.id > before[2][-1].id
        assert workplace.events(before[2][-1].id) == [later]


def test_deleting_removes_a_job_and_what_belongs_to_it(tmp_path):
    with open_workplace(tmp_path) as workplace:
        image = workplace.add_image("a.png", [picture()])
        kept, gone = (wait_over(workplace, workplace.submit(tiny(image, seed=seed)).id).id for seed in (1, 2))
        for job in (kept, gone):
            workplace.review_path(job).write_text("{}")
            workplace.what_if_folder(job).mkdir()
            (workplace.what_if_folder(job) / "1.json").write_text("{}")
        workplace.delete(gone)
        assert {path.name for path in (tmp_path / "runs").iterdir()} == {kept, f"{kept}.review.json", f"{kept}.what-if"}
        for call in (
            workplace.job,
            workplace.run,
            workplace.view,
            workplace.stop,
            workplace.delete,
            workplace.review_path,
        ):
            with pytest.raises(NotFoundError):
                call(gone)
        with pytest.raises(NotFoundError):
            workplace.ask(gone, lambda context: None)
        with pytest.raises(NotFoundError):
            workplace.emit(gone, "note", {})
        assert [event.kind for event in all_events(workplace, gone)] == ["deleted"]
        assert workplace.run(kept) is not None


def test_deleting_a_running_job_stops_it(tmp_path):
    gate = Gate(block_at=8)
    with open_workplace(tmp_path, gate) as workplace:
        image = workplace.add_image("a.png", [picture()])
        running, next_one = workplace.submit(boxed(image)), workplace.submit(tiny(image))
        assert gate.reached.wait(60)
        workplace.delete(running.id)
        batches = gate.batches
        gate.opened.set()
        assert wait_over(workplace, next_one.id).state is JobState.FINISHED
        assert gate.batches == batches, "the batch in which it was deleted was the last one"
        assert {path.name for path in (tmp_path / "runs").iterdir()} == {next_one.id}
        assert [event.kind for event in all_events(workplace, running.id)] == ["deleted"]


def test_a_question_is_answered_by_the_worker_ahead_of_the_queue(tmp_path):
    gate = Gate()
    with open_workplace(tmp_path, gate) as workplace:
        image = workplace.add_image("a.png", [picture()])
        done = wait_over(workplace, workplace.submit(tiny(image)).id)
        gate.block_at = 8
        running, waiting = workplace.submit(boxed(image)), workplace.submit(tiny(image, seed=1))
        assert gate.reached.wait(60)
        threading.Timer(0.05, gate.opened.set).start()

        def question(context):
            states = workplace.job(running.id).state, workplace.job(waiting.id).state
            return threading.current_thread().name, len(context.rounds), context.classifier.name, states

        answer = workplace.ask(done.id, question)
        assert answer == ("unveil-jobs", 3, "tiny", (JobState.RUNNING, JobState.QUEUED))
        about_running = workplace.ask(running.id, lambda context: (context.classifier.name, len(context.tracks)))
        assert about_running == ("gate", 1)
        workplace.stop(running.id)


def test_a_question_of_the_worker_itself_is_answered_at_once(tmp_path):
    with open_workplace(tmp_path) as workplace:
        image = workplace.add_image("a.png", [picture()])
        job = wait_over(workplace, workplace.submit(tiny(image)).id)
        inner = workplace.ask(job.id, lambda outer: workplace.ask(job.id, lambda context: len(context.rounds)))
        assert inner == 3


def test_errors_of_a_question_reach_whoever_asked(tmp_path):
    with open_workplace(tmp_path) as workplace:
        image = workplace.add_image("a.png", [picture()])
        job = wait_over(workplace, workplace.submit(tiny(image)).id)

        def wrong(context):
            raise ZeroDivisionError("mine")

        def late(context):
            raise TimeoutError("mine too")

        with pytest.raises(ZeroDivisionError, match="mine"):
            workplace.ask(job.id, wrong)
        with pytest.raises(TimeoutError, match="mine too"):
            workplace.ask(job.id, late)
        assert workplace.ask(job.id, lambda context: 1) == 1


def test_a_question_without_an_answer_in_time_is_not_answered_later(tmp_path):
    gate = Gate(block_at=6)
    asked = []
    with open_workplace(tmp_path, gate) as workplace:
        image = workplace.add_image("a.png", [picture()])
        job = workplace.submit(boxed(image, settings={"stop": {"kind": "MaxRounds", "rounds": 1}}))
        assert gate.reached.wait(60)
        with pytest.raises(AskTimeoutError, match=r"within 0\.05 s"):
            workplace.ask(job.id, asked.append, timeout_s=0.05)
        gate.opened.set()
        wait_over(workplace, job.id)
        assert workplace.ask(job.id, lambda context: len(context.rounds)) == 1
        assert asked == []


def test_a_question_changes_nothing_of_the_run(tmp_path):
    with open_workplace(tmp_path) as workplace:
        image = workplace.add_image("a.png", [picture()])
        request = tiny(image)
        job = wait_over(workplace, workplace.submit(request).id)

        def meddle(context):
            context.tracks[0].rounds.clear()
            context.tracks[0].stop = None
            return context.masked.passes

        workplace.ask(job.id, meddle)
        workplace.go_on(job.id, 1)
        wait_over(workplace, job.id)
        expected = reference(
            workplace, request, tiny_runs.classifier(), lambda recipe: replace(recipe, stop=MaxRounds(4))
        )
        assert workplace.run(job.id) == expected


def test_a_question_after_a_restart_has_the_rounds_of_the_record(tmp_path):
    with open_workplace(tmp_path) as workplace:
        image = workplace.add_image("a.png", [picture()])
        job = wait_over(workplace, workplace.submit(tiny(image, target="top:2", settings={"joint": False})).id)
    with open_workplace(tmp_path) as workplace:
        rounds, final = workplace.ask(
            job.id,
            lambda context: (
                context.rounds,
                context.masked.render(context.masked.view(context.erased_of(context.tracks[1]))),
            ),
        )
        run = load_run(workplace.record_folder(job.id))
        assert rounds == run.rounds
        track = run.tracks[1]
        assert (final.clamp(0, 1) * 255).round().byte().tolist() == run.final_images[track].tolist()


def test_a_question_about_a_job_without_a_prediction_is_refused(tmp_path):
    gate = Gate(block_at=6)
    with open_workplace(tmp_path, gate) as workplace:
        image = workplace.add_image("a.png", [picture()])
        running, waiting = workplace.submit(boxed(image)), workplace.submit(tiny(image))
        assert gate.reached.wait(60)
        threading.Timer(0.05, gate.opened.set).start()
        with pytest.raises(StateError, match="begun"):
            workplace.ask(waiting.id, lambda context: None)
        workplace.stop(running.id)


def test_closing_lets_everyone_go(tmp_path):
    gate = Gate(block_at=6)
    workplace = open_workplace(tmp_path, gate)
    caught = []
    with workplace:
        image = workplace.add_image("a.png", [picture()])
        job = workplace.submit(boxed(image, settings={"stop": {"kind": "MaxRounds", "rounds": 1}}))
        assert gate.reached.wait(60)

        def ask():
            try:
                workplace.ask(job.id, lambda context: None)
            except StateError as error:
                caught.append(str(error))

        def listen():
            caught.append(workplace.wait_for_events(10**9, 60))

        threads = [threading.Thread(target=one) for one in (ask, listen)]
        for thread in threads:
            thread.start()
        threading.Timer(0.05, gate.opened.set).start()
    for thread in threads:
        thread.join(30)
    assert len(caught) == 2
    assert False in caught
    with pytest.raises(StateError):
        workplace.ask(job.id, lambda context: None)


def test_progress_is_told_at_most_ten_times_a_second(tmp_path):
    with open_workplace(tmp_path) as workplace:
        image = workplace.add_image("a.png", [picture()])
        for seed in range(3):
            wait_over(workplace, workplace.submit(tiny(image, seed=seed)).id)
        jobs = workplace.jobs()
        seconds = max(job.finished for job in jobs) - min(job.started for job in jobs)
        progress = [event for event in all_events(workplace) if event.kind == "progress"]
        assert 1 <= len(progress) <= 1 + seconds / 0.1
        assert set(progress[0].data) == {"round", "rounds", "sample", "samples", "cards"}


def test_many_readers_of_one_view_let_it_be_made_once(tmp_path, monkeypatch):
    made = []

    def counted(run):
        made.append(threading.current_thread().name)
        return make_view(run)

    monkeypatch.setattr(workplace_module, "make_view", counted)
    with open_workplace(tmp_path) as workplace:
        image = workplace.add_image("a.png", [picture()])
        job = wait_over(workplace, workplace.submit(tiny(image)).id)
        with ThreadPoolExecutor(10) as pool:
            views = set(pool.map(workplace.view, [job.id] * 10))
        assert views == {make_view(workplace.run(job.id)).to_bytes()}
        assert len(made) == 1
        workplace.go_on(job.id, 1)
        wait_over(workplace, job.id)
        assert workplace.view(job.id) not in views
        assert len(made) == 2


def test_requests_survive_in_every_part(tmp_path):
    with open_workplace(tmp_path) as workplace:
        image = workplace.add_image("浮腫 <b>.png", [picture()])
        request = tiny(image, seed=2**62, target="class:Ödem — 浮腫", trust=False)
        job = wait_over(workplace, workplace.submit(request).id)
        assert workplace.job(job.id).request == request
        assert recipe_of(workplace.job(job.id).request) == recipe_of(request)
        assert workplace.run(job.id).source.name == "浮腫 <b>.png"
        assert is_run(workplace.record_folder(job.id))
