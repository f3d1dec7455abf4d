"""What-ifs: drawings that are erased, the answer at once, and its test later."""

from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from unveil.errors import UnveilError
from unveil.serve.answers import JsonResponse
from unveil.serve.bodies import StrictRoute
from unveil.serve.jobs import NotFoundError, QueueFullError
from unveil.serve.refusals import public_line
from unveil.serve.routes.jobs import JobId
from unveil.serve.service import ServeService, Service
from unveil.targets import parse_target
from unveil.what_if import (
    Drawing,
    WhatIf,
    load_what_if,
    predict_what_if,
    save_what_if,
    test_what_if,
    what_if_numbers,
)

router = APIRouter(prefix="/api/jobs/{job_id}/what-ifs", route_class=StrictRoute, tags=["what-ifs"])
MOST_TESTING, MOST_LISTED = 16, 200
Number = Annotated[int, Path(ge=1, le=1_000_000, description="The number of a what-if.")]


class StrokeBody(BaseModel):
    """One stroke of a drawing; points are pairs [y, x] in pixels of the source."""

    model_config = ConfigDict(extra="forbid", strict=True)
    kind: Literal["brush", "eraser", "lasso", "region"]
    points: list[Annotated[list[float], Field(min_length=2, max_length=2)]] = Field([], max_length=5000)
    width_px: float | None = Field(None, gt=0, le=1e5, description="Of a brush or an eraser.")
    region: str | None = Field(None, max_length=60, description="The id of a region, such as r2.1.")


class DrawingBody(BaseModel):
    """What is drawn on an image, stroke after stroke."""

    model_config = ConfigDict(extra="forbid", strict=True)
    format: Literal["unveil drawing"] = "unveil drawing"
    version: Literal[1] = 1
    strokes: list[StrokeBody] = Field(min_length=1, max_length=200)


class NewWhatIf(BaseModel):
    """What to erase, and from what."""

    model_config = ConfigDict(extra="forbid", strict=True)
    drawing: DrawingBody = Field(description="What to erase.")
    on: Literal["original", "erased"] = Field("original", description="The image, or what the run left of it.")
    rounds: int | None = Field(
        None, ge=1, le=1000, description="With erased: after how many rounds; null for all that were done."
    )
    target: str | None = Field(None, max_length=1000, description="The target to test; null for the region's own.")


@router.post("", status_code=201, response_class=JsonResponse)
async def ask_what_if_route(service: Service, job_id: JobId, question: NewWhatIf) -> JsonResponse:
    """Erase a drawing, and answer with every label's change.

    How unusual the change is for this shape is tested afterwards: an event `what_if` tells when it is known.
    """
    if sum(service.testing.values()) >= MOST_TESTING:
        got = f"{MOST_TESTING} that are being tested"
        raise QueueFullError("fewer what-ifs at once", got, "wait for their results")
    _change_testing(service, job_id, 1)
    try:
        drawing = await service.threads.read(Drawing.from_dict, question.drawing.model_dump(exclude_defaults=True))
        number, what_if = await service.threads.ask(_predict, service, job_id, drawing, question)
    except BaseException:
        _change_testing(service, job_id, -1)
        raise
    service.keep_on(_test(service, job_id, number, what_if))
    return JsonResponse({"number": number, "what_if": what_if.as_dict(), "testing": True}, 201)


@router.get("", response_class=JsonResponse)
async def list_what_ifs(service: Service, job_id: JobId) -> JsonResponse:
    """The what-ifs of a job, the oldest first."""
    return JsonResponse(await service.threads.read(_listed, service, job_id))


@router.get("/{number}", response_class=JsonResponse)
async def read_what_if(service: Service, job_id: JobId, number: Number) -> JsonResponse:
    """One what-if."""
    return JsonResponse(await service.threads.read(_load, service, job_id, number))


def _predict(service: ServeService, job_id: str, drawing: Drawing, question: NewWhatIf) -> tuple[int, WhatIf]:
    target = None if question.target is None else parse_target(question.target)
    what_if = service.workplace.ask(
        job_id,
        lambda context: predict_what_if(context, drawing, on=question.on, rounds=question.rounds, target=target),
    )
    return save_what_if(what_if, service.workplace.what_if_folder(job_id)), what_if


async def _test(service: ServeService, job_id: str, number: int, what_if: WhatIf) -> None:
    """Test a what-if, keep it, and tell everyone."""
    told: dict[str, Any] = {"number": number}
    try:
        await service.threads.test(_test_and_save, service, job_id, number, what_if)
    except UnveilError as error:
        told["error"] = public_line(str(error), service.hidden)
    finally:
        _change_testing(service, job_id, -1)
    try:
        await service.threads.read(service.workplace.emit, job_id, "what_if", told)
    except NotFoundError:  # deleted meanwhile
        service.hub.wake()


def _test_and_save(service: ServeService, job_id: str, number: int, what_if: WhatIf) -> None:
    tested = service.workplace.ask(job_id, lambda context: test_what_if(context, what_if))
    save_what_if(tested, service.workplace.what_if_folder(job_id), number)


def _change_testing(service: ServeService, job_id: str, change: int) -> None:
    count = service.testing.get(job_id, 0) + change
    if count > 0:
        service.testing[job_id] = count
    else:
        service.testing.pop(job_id, None)


def _listed(service: ServeService, job_id: str) -> list[dict]:
    folder = service.workplace.what_if_folder(job_id)
    return [_answer(service, job_id, folder, number) for number in what_if_numbers(folder)[-MOST_LISTED:]]


def _load(service: ServeService, job_id: str, number: int) -> dict:
    folder = service.workplace.what_if_folder(job_id)
    if number not in what_if_numbers(folder):
        raise NotFoundError("the number of a what-if", str(number), "list them again")
    return _answer(service, job_id, folder, number)


def _answer(service: ServeService, job_id: str, folder: FilePath, number: int) -> dict:
    what_if = load_what_if(folder / f"{number}.json")
    testing = not what_if.is_tested and job_id in service.testing
    return {"number": number, "what_if": what_if.as_dict(), "testing": testing}
