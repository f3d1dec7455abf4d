"""Exports of one job, each as a file to be saved."""

from typing import Literal

from fastapi import APIRouter
from starlette.responses import Response

from unveil.serve.bodies import StrictRoute
from unveil.serve.exports import EXPORTS, make_export
from unveil.serve.routes.jobs import JobId
from unveil.serve.service import Service

router = APIRouter(prefix="/api/jobs", route_class=StrictRoute, tags=["exports"])
ExportName = Literal["record.zip", "figure.png", "regions.csv", "masks.zip", "coco.json", "report.html", "review.csv"]


@router.get("/{job_id}/export/{name}", response_class=Response)
async def export_job(service: Service, job_id: JobId, name: ExportName) -> Response:
    """A file made of the job's record: 409 while there is none."""
    content, file_name = await service.threads.work(make_export, service.workplace, job_id, name)
    headers = {"content-disposition": f'attachment; filename="{file_name}"'}
    return Response(content, media_type=EXPORTS[name].media_type, headers=headers)
