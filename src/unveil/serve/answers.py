"""Answers as JSON: of jobs, of images, and of errors."""

import json
from typing import Any

from starlette.responses import Response

from unveil.errors import UnveilError
from unveil.serve.folder_images import FolderImage
from unveil.serve.jobs import Job, NotFoundError, QueueFullError, StateError, StoredImage, UploadTooLargeError
from unveil.serve.jobs.errors import AskTimeoutError
from unveil.serve.refusals import public_line, status_of
from unveil.serve.service import ServeService
from unveil.texts import escape_control

STATUS_OF = {NotFoundError: 404, StateError: 409, QueueFullError: 429, UploadTooLargeError: 413, AskTimeoutError: 503}


class JsonResponse(Response):
    """A JSON answer in ASCII, so that no text from outside can make it invalid."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The bytes of `content`."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def error_response(error: UnveilError, service: ServeService) -> JsonResponse:
    """The answer to a request that ended with an error: one line without paths."""
    status = next((status for kind, status in STATUS_OF.items() if isinstance(error, kind)), status_of(error))
    return JsonResponse({"error": public_line(str(error), service.hidden)}, status)


def job_answer(job: Job, service: ServeService) -> dict:
    """A job as the page gets it."""
    request = job.request
    return {
        "id": job.id,
        "image": request.image,
        "image_name": escape_control(job.image_name),
        "model": request.model,
        "recipe": request.recipe,
        "settings": request.settings,
        "target": request.target,
        "seed": request.seed,
        "trust": request.trust,
        "state": str(job.state),
        "stopping": job.stopping,
        "message": None if job.message is None else public_line(job.message, service.hidden),
        "created": job.created,
        "started": job.started,
        "finished": job.finished,
        "rounds": job.rounds,
        "version": job.version,
        "can_continue": job.can_continue,
    }


def image_answer(image: StoredImage) -> dict:
    """An uploaded image as the page gets it; `depth` is null for an image that isn't a volume."""
    *depth, height, width = image.shape
    return {
        "id": image.id,
        "name": escape_control(image.name),
        "width": width,
        "height": height,
        "depth": depth[0] if depth else None,
        "channels": image.channels,
        "bytes": image.size_bytes,
        "created": image.created,
        "warning": None if image.warning is None else public_line(image.warning),
        "from": "upload",
    }


def folder_image_answer(image: FolderImage) -> dict:
    """An image of the folder; its size in pixels isn't known before it is used."""
    unknown = dict.fromkeys(("width", "height", "depth", "channels", "warning"))
    return {
        "id": image.id,
        "name": escape_control(image.name),
        **unknown,
        "bytes": image.size_bytes,
        "created": image.created,
        "from": "folder",
    }
