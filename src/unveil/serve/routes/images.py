"""Images: uploads, the list, and previews."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from unveil.errors import ImageError
from unveil.serve.answers import JsonResponse, folder_image_answer, image_answer
from unveil.serve.bodies import StrictRoute
from unveil.serve.checks import BYTES, body_kind
from unveil.serve.headers import IMMUTABLE
from unveil.serve.refusals import RequestError
from unveil.serve.service import ServeService, Service
from unveil.texts import escape_control

router = APIRouter(prefix="/api/images", route_class=StrictRoute, tags=["images"])
ImageId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="The id of an image.")]
UPLOAD_BODY = {
    "requestBody": {"required": True, "content": {BYTES: {"schema": {"type": "string", "format": "binary"}}}}
}


@router.post("", status_code=201, response_class=JsonResponse, openapi_extra=UPLOAD_BODY)
async def upload_image(
    request: Request,
    service: Service,
    name: Annotated[str, Query(min_length=1, max_length=300, description="The name of the file.")],
) -> JsonResponse:
    """Store an image file, as it is in the body. The same bytes are stored once."""
    if body_kind(request.scope["headers"]) != BYTES:
        raise RequestError(415, f"the bytes of an image as {BYTES}", "another Content-Type", "set the header")
    if "\0" in name:
        raise RequestError(422, "the name of a file", "a null character", "choose another name")
    stored = await service.threads.upload(lambda chunks: service.workplace.add_image(name, chunks), request.stream())
    return JsonResponse(image_answer(stored), 201)


@router.get("", response_class=JsonResponse)
async def list_images(service: Service) -> JsonResponse:
    """All images: uploads, the newest first, and then those of the server's folder by name."""
    return JsonResponse(await service.threads.read(_listed, service))


@router.get("/{image_id}/preview.png", response_class=Response, responses={200: {"content": {"image/png": {}}}})
async def read_preview_image(service: Service, image_id: ImageId) -> Response:
    """An image as a small PNG, for people to look at."""
    content = await service.threads.work(_preview, service, image_id)
    return Response(content, media_type="image/png", headers={"cache-control": IMMUTABLE})


def stored_id(service: ServeService, image_id: str) -> str:
    """The id of a stored image: an image of the folder is stored first."""
    if service.images is None or not service.images.has(image_id):
        return image_id
    name, chunks = service.images.chunks(image_id)
    return service.workplace.add_image(name, chunks).id


def _preview(service: ServeService, image_id: str) -> bytes:
    if service.images is not None and service.images.has(image_id):
        return service.images.preview(image_id)
    return service.workplace.image_preview(image_id)


def _listed(service: ServeService) -> list[dict]:
    stored = service.workplace.images()
    if service.images is None:
        return [image_answer(image) for image in stored]
    try:
        listed = service.images.listed()
    except OSError as error:
        raise ImageError("a folder of images", error.strerror or "an error", "check the folder") from error
    # An image of the folder that a job has used is stored too, and shown once.
    twice = {(escape_control(image.name), image.size_bytes) for image in listed}
    uploads = [image for image in stored if (image.name, image.size_bytes) not in twice]
    return [*map(image_answer, uploads), *map(folder_image_answer, listed)]
