"""The page, its files, the link that opens a session, and what the page asks first."""

from importlib.resources import files
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from unveil import __version__
from unveil.recipes import NAMED
from unveil.serve.answers import JsonResponse
from unveil.serve.bodies import StrictRoute
from unveil.serve.form import recipe_form
from unveil.serve.jobs import Workplace
from unveil.serve.refusals import RequestError
from unveil.serve.service import ServeService, Service

router = APIRouter(route_class=StrictRoute)
MOST_LABELS = 2000
RecipeName = Annotated[
    str, Query(max_length=100, description="The name of a recipe.", json_schema_extra={"enum": list(NAMED)})
]
STATIC = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/app.js": ("app.js", "text/javascript; charset=utf-8"),
    "/app.css": ("app.css", "text/css; charset=utf-8"),
}
# Begins a navigation of this page's own, which brings the cookie; a redirect of a foreign one doesn't.
CONTINUE_PAGE = (
    '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=/"><title>unveil</title>'
)


def _static_route(path: str, name: str, media_type: str) -> None:
    def send_file() -> Response:
        return Response(files("unveil.serve").joinpath("static", name).read_bytes(), media_type=media_type)

    router.add_api_route(path, send_file, response_class=Response, include_in_schema=False, name=name)


for _path, (_name, _type) in STATIC.items():
    _static_route(_path, _name, _type)


@router.get("/open", response_class=Response, include_in_schema=False)
async def open_session(
    request: Request, service: Service, token: Annotated[str, Query(max_length=600)] = ""
) -> Response:
    """Open a session by the one-time link, and go to the page."""
    session = service.access.open_session(token)
    if session is None:
        do = "use the newest link that `unveil serve` printed: each opens one session"
        raise RequestError(401, "the token of a link that wasn't used yet", "another one", do)
    service.on_session()
    cookie = {"set-cookie": service.access.set_cookie(session)}
    if request.headers.get("sec-fetch-site") in (None, "none", "same-origin"):
        return Response(status_code=303, headers={"location": "/", **cookie})
    return Response(CONTINUE_PAGE, headers=cookie, media_type="text/html; charset=utf-8")


@router.get("/api/session", response_class=JsonResponse)
async def read_session(service: Service) -> JsonResponse:
    """What the page shows first: version, models, recipes and limits. Labels are null until a model is loaded."""
    return JsonResponse(await service.threads.read(_session, service))


@router.get("/api/recipe-form", response_class=JsonResponse)
async def read_recipe_form(service: Service, recipe: RecipeName) -> JsonResponse:
    """The fields of a recipe, with types, bounds and help. Keys are those of the settings of a job."""
    return JsonResponse(await service.threads.read(recipe_form, recipe))


def _session(service: ServeService) -> dict:
    return {
        "version": __version__,
        "last_event": service.workplace.last_event,
        "models": [_model(service.workplace, name) for name in service.models],
        "recipes": [{"name": name, "summary": _summary(make.__doc__)} for name, make in NAMED.items()],
        "default_recipe": service.default_recipe,
        "limits": {
            "upload_bytes": service.limits.upload_bytes,
            "pixels": service.limits.pixels,
            "queue": service.limits.queue,
        },
        "images": "upload" if service.images is None else "folder",
    }


def _model(workplace: Workplace, name: str) -> dict:
    info = workplace.classifier_info(name)
    if info is None:
        workplace.load(name)
        info = dict.fromkeys(("labels", "output", "grid", "channels"))
    labels = info["labels"]
    return {
        "name": name,
        "title": name.rpartition("/")[2] or name,
        "labels": None if labels is None else list(labels[:MOST_LABELS]),
        "label_count": None if labels is None else len(labels),
        "output": info["output"],
        "grid": info["grid"],
        "channels": info["channels"],
    }


def _summary(docstring: str | None) -> str:
    """What a recipe is, from the first lines of its docstring: `Return the …` becomes `The …`."""
    text = "" if docstring is None else docstring
    first = " ".join(text.strip().partition("\n\n")[0].split()).removeprefix("Return ")
    return first[:1].upper() + first[1:]
