"""/demo: the page, the libraries it uses, and who may be played on it.

It needs no other server and no build: browsers load our modules and the libraries' own files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from feedback_platform.serving.demo.page_headers import PageHeaders, page_headers
from feedback_platform.serving.demo.visitors import DemoVisitors

_HERE: Final = Path(__file__).parent
PAGE: Final = _HERE / "page"
LIBRARIES: Final = _HERE / "libraries"
_NO_STORE: Final = {"cache-control": "no-store"}


def demo_routes(visitors: DemoVisitors, write_key: str) -> list[BaseRoute]:
    """Return the routes of the page.

    Args:
        visitors: who may be played.
        write_key: that the page sends events with; any where everybody may send.
    """

    async def to_page(_request: Request) -> Response:
        # Relative, since a proxy may have put the server under a path of its own.
        return RedirectResponse("demo/")

    async def start(_request: Request) -> Response:
        users = [example._asdict() for example in await visitors.examples()]
        return JSONResponse({"write_key": write_key, "users": users}, headers=_NO_STORE)

    async def play(request: Request) -> Response:
        user_id = request.query_params.get("user_id")
        if user_id is None:
            user_id = visitors.new()
        elif not await visitors.may_be_played(user_id):
            text = "Only users of the simulation may be played, and somebody new."
            return JSONResponse({"code": "forbidden", "message": text}, status_code=403)
        content = {"user_id": user_id, "token": visitors.token(user_id)}
        return JSONResponse(content, headers=_NO_STORE)

    page: list[BaseRoute] = [
        Route("/start", start),
        Route("/visitors", play, methods=["POST"]),
        Mount("/libraries", StaticFiles(directory=LIBRARIES)),
        Mount("/", StaticFiles(directory=PAGE, html=True)),
    ]
    headers = page_headers((PAGE / "index.html").read_text("utf-8"))
    return [
        Route("/demo", to_page),
        Mount("/demo", routes=page, middleware=[Middleware(PageHeaders, headers=headers)]),
    ]
