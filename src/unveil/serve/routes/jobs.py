"""Jobs: submit, list, stop, go on, delete; what they found; and their events."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from unveil.serve.answers import JsonResponse, job_answer
from unveil.serve.bodies import StrictRoute
from unveil.serve.events import EventStreamResponse, stream_events
from unveil.serve.jobs import JobRequest, NotFoundError
from unveil.serve.refusals import RequestError
from unveil.serve.routes.images import stored_id
from unveil.serve.service import ServeService, Service

router = APIRouter(prefix="/api", route_class=StrictRoute, tags=["jobs"])
LARGEST = (1 << 53) - 1  # that a browser reads exactly
JobId = Annotated[str, Path(pattern="^[0-9a-f]{16}$", description="The id of a job.")]
After = Annotated[int | None, Query(ge=0, le=LARGEST, description="The id of the last event that is known.")]
LastEventId = Annotated[str | None, Header(pattern="^[0-9]{1,15}$", description="The same, from browsers.")]
STREAM: dict[int | str, dict] = {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}}


class NewJob(BaseModel):
    """What one job computes."""

    model_config = ConfigDict(extra="forbid", strict=True)
    image: str = Field(pattern="^[0-9a-f]{32}$", description="The id of an image.")
    model: str = Field(max_length=300, description="The name of one of the server's models.")
    recipe: str = Field("recommended", max_length=100, description="The name of a recipe.")
    settings: dict[str, Any] = Field({}, max_length=500, description="Changes of the recipe, by dotted keys.")
    target: str | None = Field(None, max_length=1000, description="What to explain; null for the recipe's own.")
    seed: int = Field(0, ge=0, le=LARGEST, description="The seed of the noise.")
    trust: bool = Field(True, description="Whether regions get trust cards, if the recipe has them.")


class MoreRounds(BaseModel):
    """How far a job goes on."""

    model_config = ConfigDict(extra="forbid", strict=True)
    rounds: int = Field(ge=0, le=1000, description="The number of further rounds; 0 resumes a job that was stopped.")


@router.post("/jobs", status_code=201, response_class=JsonResponse)
async def submit_job(service: Service, job: NewJob) -> JsonResponse:
    """Queue a job. 429 if as many wait as may wait."""
    return JsonResponse(await service.threads.work(_submit, service, job), 201)


@router.get("/jobs", response_class=JsonResponse)
async def list_jobs(
    service: Service,
    limit: Annotated[int, Query(ge=1, le=500, description="The largest number of jobs.")] = 100,
    before: Annotated[
        str | None, Query(pattern="^[0-9a-f]{16}$", description="The id of a job: older ones only.")
    ] = None,
) -> JsonResponse:
    """Jobs, the newest first."""
    jobs = await service.threads.read(service.workplace.jobs, limit, before)
    return JsonResponse([job_answer(job, service) for job in jobs])


@router.get("/jobs/{job_id}", response_class=JsonResponse)
async def read_job(service: Service, job_id: JobId) -> JsonResponse:
    """One job as it is now."""
    return JsonResponse(job_answer(await service.threads.read(service.workplace.job, job_id), service))


@router.delete("/jobs/{job_id}", status_code=204, response_class=Response)
async def delete_job(service: Service, job_id: JobId) -> Response:
    """Stop a job, and remove it with its record, its review and its what-ifs."""
    await service.threads.work(service.workplace.delete, job_id)
    return Response(status_code=204)


@router.post("/jobs/{job_id}/stop", status_code=202, response_class=JsonResponse)
async def stop_job(service: Service, job_id: JobId) -> JsonResponse:
    """Stop a job within a batch, keep what it found."""
    return JsonResponse(job_answer(await service.threads.read(service.workplace.stop, job_id), service), 202)


@router.post("/jobs/{job_id}/continue", status_code=202, response_class=JsonResponse)
async def continue_job(service: Service, job_id: JobId, more: MoreRounds) -> JsonResponse:
    """Queue a job that is over for more rounds."""
    job = await service.threads.work(service.workplace.go_on, job_id, more.rounds)
    return JsonResponse(job_answer(job, service), 202)


@router.get("/jobs/{job_id}/view", response_class=Response, responses={200: {"content": {"application/json": {}}}})
async def read_view(request: Request, service: Service, job_id: JobId) -> Response:
    """What a viewer shows of a job: the document of docs/view-format.md. Its ETag is the job's version.

    204 while there is nothing to show.
    """
    job = await service.threads.read(service.workplace.job, job_id)
    tag = f'"{job.version}"'
    if tag in [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers={"etag": tag})
    content = await service.threads.read(service.workplace.view, job_id)
    if content is None:
        return Response(status_code=204)
    return Response(content, media_type="application/json", headers={"etag": tag})


@router.get("/events", response_class=EventStreamResponse, responses=STREAM, tags=["events"])
async def stream_all_events(
    service: Service, after: After = None, last_event_id: LastEventId = None
) -> EventStreamResponse:
    """All events as they come; those after a given one first. It doesn't end by itself."""
    start = _start(after, last_event_id)
    return EventStreamResponse(stream_events(service.hub, service.hub.newest if start is None else start))


@router.get("/jobs/{job_id}/events", response_class=EventStreamResponse, responses=STREAM, tags=["events"])
async def stream_job_events(
    service: Service, job_id: JobId, after: After = None, last_event_id: LastEventId = None
) -> EventStreamResponse:
    """The events of one job, from its first one on; it ends with an event `end` when the job is over."""
    await service.threads.read(service.workplace.job, job_id)
    start = _start(after, last_event_id)

    async def is_over() -> bool:
        try:
            job = await service.threads.read(service.workplace.job, job_id)
        except NotFoundError:
            return True
        return job.state.is_over and not service.testing.get(job_id)

    return EventStreamResponse(stream_events(service.hub, start or 0, job_id, is_over))


def _start(after: int | None, last_event_id: str | None) -> int | None:
    return after if last_event_id is None else int(last_event_id)


def _submit(service: ServeService, job: NewJob) -> dict:
    if job.model not in service.models:
        got = repr(job.model)[:60]
        raise RequestError(422, "one of the models that the server was started with", got, "choose one of the list")
    image = stored_id(service, job.image)
    request = JobRequest(image, job.model, job.recipe, job.settings, job.target, job.seed, job.trust)
    return job_answer(service.workplace.submit(request), service)
