# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service's HTTP application: who may call it, and how errors are answered."""

from __future__ import annotations

import asyncio
import urllib.parse
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from ansible_collections.deter.benito.plugins.module_utils.clean_text import clean_text
from ansible_collections.deter.benito.plugins.module_utils.errors import BenitoError
from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse
from fastapi.security import HTTPBasic, HTTPBearer
from starlette.middleware.trustedhost import TrustedHostMiddleware

from ..collection import version
from . import api, metrics, schemas, xml_rpc
from .jobs import Jobs
from .metrics import Metrics
from .security import BoundedBody, Token
from .watchers import Watchers

_OPEN = ("/healthz",)
_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
_MOST_FAULTS = 20  # of a request, in an answer


def make_app(watchers: Watchers, jobs: Jobs, token: Token, counted: Metrics, hosts: list[str]) -> FastAPI:
    """Return the application. ``hosts``: the names by which it may be called."""
    wanted: dict[int | str, dict[str, Any]] = {
        401: schemas.refused("the token is missing or wrong"),
        413: schemas.refused("the request is too large"),
        422: schemas.refused("something in the request is wrong"),
    }
    schemes = [Depends(HTTPBearer(auto_error=False)), Depends(HTTPBasic(auto_error=False))]  # for the description alone; guard below decides
    app = FastAPI(title="deter.benito", version=version(), description="Experiments, their nodes, and runs of playbooks. docs/service.md has examples.",
                  docs_url=None, redoc_url=None, openapi_url=f"{api.PREFIX}/openapi.json", responses=wanted, dependencies=schemes)

    @app.middleware("http")
    async def guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        if request.url.path not in _OPEN and not token.allows(request.headers.get("authorization", "")):
            text = "send the token in BENITO_HOME/grandstand/token as Authorization: Bearer TOKEN"
            response: Response = JSONResponse({"detail": text}, 401, {"WWW-Authenticate": 'Basic realm="deter.benito: any name, and the token"'})
        else:
            response = await call_next(request)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    @app.exception_handler(BenitoError)
    async def explain(_request: Request, error: BenitoError) -> Response:
        return JSONResponse({"detail": str(error)}, api.status_of(error))

    @app.exception_handler(OSError)
    async def explain_machine(_request: Request, error: OSError) -> Response:
        return JSONResponse({"detail": f"the controller cannot do it: {error.strerror or error}"}, 500)

    @app.exception_handler(RequestValidationError)
    async def explain_request(_request: Request, error: RequestValidationError) -> Response:
        lines = [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()[:_MOST_FAULTS]]
        return JSONResponse({"detail": clean_text("\n".join(lines))}, 422)

    app.include_router(api.make_router(watchers, jobs))
    app.include_router(_other_routes(watchers, counted))
    app.add_middleware(BoundedBody)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)
    return app


def _other_routes(watchers: Watchers, counted: Metrics) -> APIRouter:
    router = APIRouter()

    @router.get("/healthz", tags=["service"], response_class=PlainTextResponse)
    async def health() -> str:
        """Tell that the service runs. It needs no token."""
        return "ok\n"

    @router.get("/metrics", tags=["service"], response_class=PlainTextResponse)
    async def show_metrics() -> Response:
        """Return what Prometheus reads."""
        return Response(counted.text(), media_type=metrics.CONTENT_TYPE)

    @router.post("/RPC2", tags=["service"], response_class=Response)
    async def answer_xml(request: Request) -> Response:
        """Answer a call of XML-RPC. docs/service-rpc.md describes the methods."""
        return Response(await asyncio.to_thread(xml_rpc.answer, await request.body(), watchers), media_type="text/xml")

    @router.get("/showexp.php3", include_in_schema=False)
    async def show_as_original(pid: Annotated[str, Query(max_length=200)], eid: Annotated[str, Query(max_length=100)]) -> Response:
        """Go to the experiment, from the address that the original's creation prints."""
        project, _slash, group = pid.partition("/")
        query = f"?{urllib.parse.urlencode({'group': group})}" if group else ""
        return RedirectResponse(f"{api.PREFIX}/experiments/{urllib.parse.quote(project, safe='')}/{urllib.parse.quote(eid, safe='')}{query}", 303)

    return router
