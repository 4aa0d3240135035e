"""GET /metrics: the numbers of the server, for whoever may administer it."""

from __future__ import annotations

from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from feedback_platform.serving.api_keys import ApiKeys
from feedback_platform.serving.metrics.exposition import exposition
from feedback_platform.serving.metrics.snapshots import Snapshots

PATH: Final = "/metrics"
_CHALLENGE: Final = {"www-authenticate": 'Bearer realm="metrics"'}


def metrics_route(snapshots: Snapshots, keys: ApiKeys) -> Route:
    """Return the route of the metrics; who may change the registry may read them."""

    async def metrics(request: Request) -> Response:
        if not keys.admit(request.headers):
            content = {"code": "unauthorized", "message": "An API key is needed, as Bearer token."}
            return JSONResponse(content, status_code=401, headers=_CHALLENGE)
        text = exposition(snapshots.metrics, snapshots.all())
        return Response(text, headers={"content-type": CONTENT_TYPE_LATEST})

    return Route(PATH, metrics)
