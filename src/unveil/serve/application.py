"""The application: routes, errors, and the gate around them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from unveil import __version__
from unveil.errors import MissingLibraryError, UnveilError

try:
    import fastapi
    import pydantic  # noqa: F401
except ImportError as error:
    raise MissingLibraryError("fastapi", "serve", "the web application") from error

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request

from unveil.serve.answers import JsonResponse, error_response
from unveil.serve.checks import RequestCheck
from unveil.serve.refusals import public_line
from unveil.serve.routes import exports, images, jobs, pages, reviews, what_ifs
from unveil.serve.security import SecurityGate
from unveil.serve.service import ServeService

DESCRIPTION = "Jobs that find every region of an image that a classifier relies on. See docs/serve.md."
ROUTERS = tuple(room.router for room in (pages, images, jobs, what_ifs, reviews, exports))


def make_application(service: ServeService) -> SecurityGate:
    """The application as ASGI, behind its gate. Its FastAPI part is the attribute `app`."""

    @asynccontextmanager
    async def run_streams(app: fastapi.FastAPI) -> AsyncIterator[None]:
        service.hub.start()
        try:
            yield
        finally:
            await service.close()

    app = fastapi.FastAPI(
        title="unveil serve",
        version=__version__,
        description=DESCRIPTION,
        openapi_url="/api/openapi.json",
        docs_url=None,  # these pages load scripts from another site
        redoc_url=None,
        lifespan=run_streams,
        redirect_slashes=False,
    )
    app.state.service = service
    for router in ROUTERS:
        app.include_router(router)
    _handle_errors(app, service)
    limits = service.limits
    check = RequestCheck(service.address, service.access)
    return SecurityGate(app, check, json_bytes=limits.json_bytes, upload_bytes=limits.upload_bytes)


def _handle_errors(app: fastapi.FastAPI, service: ServeService) -> None:
    """Every error is one line of JSON."""

    async def of_unveil(request: Request, error: Any) -> JsonResponse:
        return error_response(error, service)

    async def of_http(request: Request, error: Any) -> JsonResponse:
        texts = {404: "expected the address of a page or of the API; got another one; see openapi.json of the API"}
        texts[405] = "expected another method for this address; see openapi.json of the API"
        text = texts.get(error.status_code, str(error.detail))
        return JsonResponse({"error": public_line(text)}, error.status_code, headers=error.headers)

    async def of_values(request: Request, error: Any) -> JsonResponse:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        text = f"expected a valid {place}; got one that isn't: {first['msg']}; see openapi.json of the API"
        return JsonResponse({"error": public_line(text)}, 422)

    app.add_exception_handler(UnveilError, of_unveil)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(RequestValidationError, of_values)
