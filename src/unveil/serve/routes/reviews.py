"""Judgments of regions beside a job's record, and how far verdicts agree with them."""

import time
from collections.abc import Iterator
from pathlib import Path as FilePath
from threading import Lock
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from unveil.errors import RecordError
from unveil.records import Run
from unveil.review import (
    Answer,
    Judgment,
    Review,
    compute_agreement,
    load_review,
    record_seal,
    save_review,
)
from unveil.serve.answers import JsonResponse
from unveil.serve.bodies import StrictRoute
from unveil.serve.jobs import NotFoundError, StateError
from unveil.serve.routes.jobs import JobId
from unveil.serve.service import ServeService, Service
from unveil.store import load_run

router = APIRouter(prefix="/api", route_class=StrictRoute, tags=["reviews"])
MOST_JOBS = 500  # that the agreement is computed of, the newest
_saving = Lock()  # a change reads the file, and writes it
RegionId = Annotated[str, Path(pattern=r"^(t[1-9]\d{0,5})?r[1-9]\d{0,5}\.[1-9]\d{0,5}$", description="Such as r2.1.")]


class JudgmentBody(BaseModel):
    """A judgment of one region."""

    model_config = ConfigDict(extra="forbid", strict=True)
    answer: Literal["accept", "reject", "unsure"] | None = Field(description="Null takes a judgment back.")
    note: str = Field("", max_length=2000, description="A remark.")
    blind: bool = Field(False, description="Whether the verdict was hidden until the region was judged.")


class KeptJudgment(JudgmentBody):
    """A judgment with its time."""

    answer: Literal["accept", "reject", "unsure"]  # type: ignore[assignment]
    time_s: float | None = Field(None, ge=0, le=1e11, description="Seconds since 1970; null for now.")


class ReviewBody(BaseModel):
    """All judgments of one record."""

    model_config = ConfigDict(extra="forbid", strict=True)
    reviewer: str = Field("", max_length=200, description="Who judges.")
    judgments: dict[str, KeptJudgment] = Field({}, max_length=5000, description="By the id of the region.")


@router.get("/jobs/{job_id}/review", response_class=JsonResponse)
async def read_review(service: Service, job_id: JobId) -> JsonResponse:
    """The review of a job; without judgments before the first, and without a seal before there is a record."""
    return JsonResponse(await service.threads.read(_shown, service, job_id))


@router.put("/jobs/{job_id}/review", response_class=JsonResponse)
async def replace_review(service: Service, job_id: JobId, review: ReviewBody) -> JsonResponse:
    """Replace the whole review."""
    return JsonResponse(await service.threads.read(_replace, service, job_id, review))


@router.patch("/jobs/{job_id}/review/{region}", response_class=JsonResponse)
async def judge_region(service: Service, job_id: JobId, region: RegionId, judgment: JudgmentBody) -> JsonResponse:
    """Judge one region, or take its judgment back."""
    return JsonResponse(await service.threads.read(_judge, service, job_id, region, judgment))


@router.get("/agreement", response_class=JsonResponse)
async def read_agreement(service: Service) -> JsonResponse:
    """How far the verdicts of all judged regions agree with the judgments."""
    return JsonResponse(await service.threads.work(_agreement, service))


def _shown(service: ServeService, job_id: str) -> dict:
    if service.workplace.record_folder(job_id) is None:
        return {"record_sha256": None, "reviewer": "", "judgments": {}}
    return _current(service, job_id).as_dict()


def _current(service: ServeService, job_id: str) -> Review:
    folder = _record(service, job_id)
    return load_review(folder) or Review(record_seal(folder))


def _replace(service: ServeService, job_id: str, body: ReviewBody) -> dict:
    now = time.time()
    judgments = {
        name: Judgment(Answer(one.answer), one.note, now if one.time_s is None else one.time_s, one.blind)
        for name, one in body.judgments.items()
    }
    with _saving:
        folder = _record(service, job_id)
        review = Review(record_seal(folder), body.reviewer, judgments)
        save_review(review, folder)
    return review.as_dict()


def _judge(service: ServeService, job_id: str, region: str, body: JudgmentBody) -> dict:
    judgment = None
    if body.answer is not None:
        judgment = Judgment(Answer(body.answer), body.note, time.time(), body.blind)
    with _saving:
        review = _current(service, job_id).with_judgment(region, judgment)
        save_review(review, _record(service, job_id))
    return review.as_dict()


def _agreement(service: ServeService) -> dict:
    return compute_agreement(_reviewed(service)).as_dict()


def _reviewed(service: ServeService) -> Iterator[tuple[Run, Review]]:
    """Runs with judgments, one at a time. One that is deleted or written just now is left out."""
    for job in service.workplace.jobs(MOST_JOBS, None):
        try:
            folder = service.workplace.record_folder(job.id)
            review = None if folder is None else load_review(folder)
            if folder is not None and review is not None and review.judgments:
                yield load_run(folder), review
        except (NotFoundError, RecordError):
            continue


def _record(service: ServeService, job_id: str) -> FilePath:
    folder = service.workplace.record_folder(job_id)
    if folder is None:
        state = service.workplace.job(job_id).state
        raise StateError("a job with a record", f"one that is {state}", "wait until it ends, or stop it")
    return folder
