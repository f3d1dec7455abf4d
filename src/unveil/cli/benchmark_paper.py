"""`unveil benchmark paper`: the experiment of Bordes et al. 2018 on a dataset."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unveil.atomic import check_folder
from unveil.cli import options
from unveil.cli.console import SOME_FAILED, console, show_error, write_json
from unveil.cli.datasets import Chosen, DatasetArgumentError, choose, open_argument, read_matches, record_names
from unveil.cli.paper_tables import paper_tables
from unveil.cli.progress import Bars, progress
from unveil.cli.run import check_target
from unveil.cli.texts import as_text
from unveil.errors import UnveilError
from unveil.evaluation.paper.report import CountedSample, dataset_as_json, machine_info, write_report
from unveil.leftovers import remove_leftovers

if TYPE_CHECKING:
    from unveil.datasets import Sample
    from unveil.evaluation.paper.experiment import ExperimentPlan
    from unveil.runs import RunJob

ERRORS_SHOWN = 10


@dataclass
class Progressed:
    """The samples that were counted so far, and the errors of those that failed."""

    done: list[CountedSample] = field(default_factory=list)
    errors: list[dict] = field(default_factory=list)


def paper(
    dataset: Annotated[
        str,
        typer.Argument(
            metavar="DATASET",
            help="The folder of ChestX-ray14, Stanford Dogs or PASCAL VOC, or one with a subfolder per label; a .csv "
            "table; or FORM/PATH.",
        ),
    ],
    model: options.Model,
    weights: options.Weights = None,
    labels: options.Labels = None,
    output: options.OutputMeaning = None,
    target: options.TargetText = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Number of images, drawn at random with the seed.",
            show_default="all",
            rich_help_panel=options.WHAT,
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="S",
            help="train, test, train_val, val … or all.",
            show_default="the dataset's",
            rich_help_panel=options.WHAT,
        ),
    ] = None,
    with_boxes: Annotated[
        bool, typer.Option("--with-boxes", help="Only images that have boxes.", rich_help_panel=options.WHAT)
    ] = False,
    match: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A .json file with the classifier's labels for each label of the dataset.",
            show_default="by name",
            rich_help_panel=options.WHAT,
        ),
    ] = None,
    recipe: options.RecipeText = "paper",
    seed: Annotated[int, options.seed_option("the choice of images, and of the noise")] = 0,
    out: Annotated[Path, options.out_option("records, tables and figures")] = Path("unveil-paper"),
    figure_of: Annotated[
        str | None,
        typer.Option(
            metavar="IDS",
            help="Ids of the images in the figure, separated by commas.",
            show_default="those with the most label changes",
            rich_help_panel=options.RESULTS,
        ),
    ] = None,
    overwrite: options.Overwrite = False,
    as_json: options.AsJson = False,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    batch_size: options.BatchSize = None,
) -> None:
    """Repeat the paper's experiment on a dataset: which labels appear and disappear in which round, and which boxes the
    regions of each round hit.

    Writes one record per image into OUT/runs, and results.json, table.md, figure.png and rounds.png into OUT. Run the
    same call again after a stop: finished records are kept. An image that fails is listed and doesn't stop the others;
    the exit code is then 1.

    Example: unveil benchmark paper data/ChestX-ray14 --with-boxes --model chexnet/FILE --out chest
    """
    from unveil.classifiers import load_classifier  # noqa: PLC0415 (torch)
    from unveil.evaluation.paper.experiment import ExperimentPlan, conclude, threshold_of  # noqa: PLC0415
    from unveil.evaluation.paper.label_matching import match_labels  # noqa: PLC0415
    from unveil.recipes import get_recipe  # noqa: PLC0415
    from unveil.runs import RunJob  # noqa: PLC0415
    from unveil.seeding import check_seed  # noqa: PLC0415
    from unveil.store.figures import FigureFormat  # noqa: PLC0415
    from unveil.targets import parse_target  # noqa: PLC0415

    check_folder(out)
    remove_leftovers(out / "runs")
    check_seed(seed)
    # Trust cards aren't part of the paper's experiment, and would take several times as long.
    chosen_recipe = replace(get_recipe(recipe), trust=None)
    if target is not None:
        chosen_recipe = chosen_recipe.with_target(parse_target(target))
    opened, given = open_argument(dataset, split), read_matches(match)
    chosen = choose(opened, limit, seed, with_boxes=with_boxes)
    names = record_names([sample.id for sample in chosen.samples])
    asked = _rows_asked_for(figure_of, chosen, names)
    classifier = load_classifier(model, weights, labels=labels, output=output, device=device, precision=precision)
    check_target(chosen_recipe.target, classifier.labels)
    matching = match_labels(opened.labels, classifier.labels, given)
    if opened.labels and not matching.indices:
        told = f"no label of {opened.name} is one of the classifier's; see --match"
        console.print(f"[bold yellow]warning[/] {as_text(told)}", soft_wrap=True, highlight=False)
    threshold = threshold_of(chosen_recipe.as_dict(), classifier.output)
    plan = ExperimentPlan(matching, classifier.labels, chosen_recipe.stop.most_rounds or 0, threshold)
    job = RunJob(classifier, chosen_recipe, seed, batch_size, overwrite, FigureFormat.NONE)
    came = _run_all(job, plan, chosen, [out / "runs" / name for name in names])
    results = {
        "benchmark": "paper",
        "dataset": dataset_as_json(opened, dataset, split, chosen),
        "images": {"chosen": len(names), "counted": len(came.done), "failed": len(came.errors)},
        "settings": {"model": model, "predicted_from": plan.threshold, **_settings(job)},
        "drawn": "groups" if any(counted.sample.group for counted in came.done) else "images",
        **conclude([counted.observed for counted in came.done], plan, seed).as_dict(),
        "errors": came.errors,
        "runs": [{"id": counted.sample.id, "folder": counted.folder.name} for counted in came.done],
        "machine": machine_info(),
    }
    results = write_report(results, came.done, asked, plan, out)
    _show_results(results, out)
    if as_json:
        write_json(results)
    if came.errors:
        show_error(f"{len(came.errors)} of {len(names)} images failed; they are listed in results.json")
        raise typer.Exit(SOME_FAILED)


def _show_results(results: dict, out: Path) -> None:
    """Print the tables, a note about images without any prediction, and the folder of the files."""
    for table in paper_tables(results, console.width):
        console.print(table, "")
    if unpredicted := results["summary"]["stops"].get("nothing predicted", 0):
        console.print(
            f"{unpredicted} of {results['images']['counted']} images: the run ended because no label reached "
            f"{results['settings']['predicted_from']:g}. Try another --target, such as predicted:0.3 or top:1",
            markup=False,
            soft_wrap=True,
        )
    console.print(f"tables, figures and records: {as_text(str(out))}", soft_wrap=True)


def _settings(job: "RunJob") -> dict:
    return {
        "classifier": job.classifier.name,
        "fingerprint": job.classifier.fingerprint,
        "output": str(job.classifier.output),
        "precision": job.classifier.precision,
        "device": str(job.classifier.device),
        "recipe": job.recipe.as_dict(),
        "seed": job.seed,
    }


def _run_all(job: "RunJob", plan: "ExperimentPlan", chosen: Chosen, folders: Sequence[Path]) -> Progressed:
    """Find or keep the record of every sample, and count it."""
    from unveil.runs import OtherRecordError  # noqa: PLC0415 (torch)

    came = Progressed()
    with progress(len(folders), "images") as bars:
        for sample, folder in zip(chosen.samples, folders, strict=True):
            try:
                came.done.append(_one(job, plan, sample, folder, bars))
            except OtherRecordError:
                # Every other record would say the same.
                raise
            except UnveilError as error:
                came.errors.append({"id": sample.id, "error": str(error)})
                _show_failure(sample.id, error, len(came.errors))
            bars.done()
            if not console.is_terminal:
                console.print(
                    f"{len(came.done) + len(came.errors)} of {len(folders)}: {as_text(sample.id)}", soft_wrap=True
                )
    return came


def _show_failure(name: str, error: UnveilError, count: int) -> None:
    """Print the first errors one by one, and then once that the others are in results.json."""
    if count <= ERRORS_SHOWN:
        show_error(f"{name}: {error}")
    elif count == ERRORS_SHOWN + 1:
        show_error(f"more than {ERRORS_SHOWN} images failed; the others will be listed in results.json")


def _one(job: "RunJob", plan: "ExperimentPlan", sample: "Sample", folder: Path, bars: Bars) -> CountedSample:
    from unveil.evaluation.paper.experiment import observe  # noqa: PLC0415
    from unveil.runs import run_or_keep  # noqa: PLC0415

    image = sample.read(job.classifier.preprocessing.channels)
    run, _ = run_or_keep(job, image, folder, lambda: bars.begin(sample.id))
    return CountedSample(sample, folder, observe(run, sample, plan))


def _rows_asked_for(text: str | None, chosen: Chosen, names: Sequence[str]) -> list[str]:
    """Ids or folders for the figure, all of which are among the images chosen."""
    if not chosen.samples:
        raise DatasetArgumentError("at least one image", "none that was asked for", "ask for others")
    asked = [one.strip() for one in ("" if text is None else text).split(",") if one.strip()]
    known = {*names, *(sample.id for sample in chosen.samples)}
    unknown = [one for one in asked if one not in known]
    if unknown:
        raise DatasetArgumentError(
            f"ids of the {len(names)} images chosen", unknown[0], f"such as {chosen.samples[0].id}, separated by commas"
        )
    return asked
