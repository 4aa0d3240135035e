"""/openapi.json and /docs: the interface, for programs and for people."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from feedback_platform.serving.openapi import openapi_document

_STYLE: Final = "static/swagger-ui.css"
_SCRIPT: Final = "static/swagger-ui-bundle.js"
# Everything comes from this server, so that the page works where there is no Internet.
_PAGE: Final = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>feedback platform</title>
<link rel="stylesheet" href="{_STYLE}">
</head>
<body>
<div id="ui"></div>
<script src="{_SCRIPT}"></script>
<script src="page.js"></script>
</body>
</html>
"""
_PAGE_SCRIPT: Final = (
    'SwaggerUIBundle({ url: "../openapi.json", dom_id: "#ui", deepLinking: true });\n'
)


def documentation_routes() -> list[BaseRoute]:
    """Return the routes of the documentation."""
    document = openapi_document()

    async def openapi(_request: Request) -> Response:
        return JSONResponse(document)

    async def to_page(_request: Request) -> Response:
        # Relative, since a proxy may have put the server under a path of its own.
        return RedirectResponse("docs/")

    async def page(_request: Request) -> Response:
        return HTMLResponse(_PAGE)

    async def page_script(_request: Request) -> Response:
        return Response(_PAGE_SCRIPT, media_type="text/javascript")

    return [
        Route("/openapi.json", openapi),
        Route("/", to_page),
        Route("/docs", to_page),
        Route("/docs/", page),
        Route("/docs/page.js", page_script),
        Mount("/docs/static", StaticFiles(directory=_swagger_directory())),
    ]


def _swagger_directory() -> Path:
    """Return where the package keeps the one version that it brings."""
    vendored = Path(str(files("swagger_ui_bundle"))) / "vendor"
    return next(vendored.glob("swagger-ui-*"))
