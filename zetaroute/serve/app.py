"""The application: what is found under which path, and what lives as long as the process."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from zetaroute.config import PRESETS, Home, Settings
from zetaroute.domain import Query
from zetaroute.errors import ZetarouteError
from zetaroute.serve.admission import Admission, AdmissionMiddleware
from zetaroute.serve.answer_endpoint import chat, count_tokens
from zetaroute.serve.api_errors import DOORS, ApiError, api_error
from zetaroute.serve.body import read_json
from zetaroute.serve.dashboard_pages import BESIDE, DashboardPages, Page, beside, page, report
from zetaroute.serve.decision_endpoint import DecisionDesk, decide_alone
from zetaroute.serve.embeddings_request import read_embeddings
from zetaroute.serve.feedback_endpoint import Post, feedback
from zetaroute.serve.metrics import Metrics
from zetaroute.serve.request import AUTO, known_model
from zetaroute.serve.service import Service, log_requests
from zetaroute.serve.telemetry import Telemetry

_CODES = {404: "not_found", 405: "method_not_allowed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What is served, and to whom."""

    home: Home
    settings: Settings
    admission: Admission
    dashboard: DashboardPages
    quiet: bool = False
    """Whether nothing but faults is written down beside the answers."""
    log_requests: bool = False
    """Whether a line is written down for every answer."""


def create_app(offer: Offer, metrics: Metrics, telemetry: Telemetry | None = None) -> Starlette:
    """Return the application of one process; `telemetry` takes the place of what the environment asks for."""
    if offer.quiet:
        logging.getLogger("zetaroute").setLevel(logging.ERROR)
    if offer.log_requests:
        log_requests()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        service = Service(offer.home, offer.settings, metrics, telemetry)
        app.state.service, app.state.metrics = service, metrics
        app.state.desk = DecisionDesk(service)
        app.state.post, app.state.page = Post(service), Page(offer.dashboard, service)
        app.state.dashboard = offer.dashboard
        app.state.begun = int(time.time())
        try:
            yield
        finally:
            await app.state.post.aclose()
            await service.aclose()

    return Starlette(
        routes=[
            *(Route(path, chat, methods=["POST"]) for path in DOORS),
            Route("/v1/messages/count_tokens", count_tokens, methods=["POST"]),
            Route("/v1/decision", decide_alone, methods=["POST"]),
            Route("/v1/embeddings", embeddings, methods=["POST"]),
            Route("/v1/feedback", feedback, methods=["POST"]),
            Route("/v1/models", models),
            Route("/v1/models/{model:path}", model),
            Route("/metrics", numbers),
            Route("/healthz", healthy),
            Route("/readyz", ready),
            Route("/", page),
            *(Route(path, beside) for path in BESIDE),
            Route("/report", report),
        ],
        middleware=[Middleware(AdmissionMiddleware, admission=offer.admission, metrics=metrics)],
        exception_handlers={
            ApiError: _refused,
            ZetarouteError: _refused,
            HTTPException: _refused,
            Exception: _refused,
        },
        lifespan=lifespan,
    )


async def embeddings(request: Request) -> Response:
    """Pass a request on to the configured embedding endpoint."""
    service: Service = request.app.state.service
    body = await read_json(request)
    if service.engine.embedder is None:
        raise ApiError(404, "no [embedding] endpoint is configured.", code="not_found", param="model")
    wanted = read_embeddings(body)
    for text in wanted["input"]:
        # The same rules as for a query: what must stay here is not embedded elsewhere.
        if not service.engine.may_embed(Query(text=text)):
            raise ApiError(
                403, "a rule forbids that this text leaves.", code="forbidden_query", param="input"
            )
    return JSONResponse(await service.engine.embedder.pass_on(wanted))


async def models(request: Request) -> Response:
    """List what may stand under `model`."""
    own = request.app.state.service.settings.names
    names = [AUTO, *(f"{AUTO}:{preset}" for preset in PRESETS), *own]
    return JSONResponse({"object": "list", "data": [_model(request, name) for name in names]})


async def model(request: Request) -> Response:
    """Show one of them."""
    name = request.path_params["model"]
    if name != AUTO and name not in {f"{AUTO}:{preset}" for preset in PRESETS}:
        known_model(name, request.app.state.service.settings)
    return JSONResponse(_model(request, name))


def _model(request: Request, name: str) -> dict[str, object]:
    owner = "zetaroute" if name.partition(":")[0] == AUTO else name.partition("/")[0]
    return {"id": name, "object": "model", "created": request.app.state.begun, "owned_by": owner}


async def numbers(request: Request) -> Response:
    """Tell Prometheus the counters of all workers."""
    service: Service = request.app.state.service
    waiting = len(await asyncio.to_thread(service.log.journal.segments))
    text = request.app.state.metrics.text(journal_segments=waiting, ready=float(service.failure is None))
    return PlainTextResponse(text, media_type="text/plain; version=0.0.4")


async def healthy(_: Request) -> Response:
    """Say that the process lives."""
    return PlainTextResponse("ok\n")


async def ready(request: Request) -> Response:
    """Say whether answers can be given and kept."""
    service: Service = request.app.state.service
    failure = service.failure or service.log_failure
    if failure is not None:
        return PlainTextResponse(f"{failure}\n", status_code=503)
    return PlainTextResponse("ok\n")


async def _refused(request: Request, error: Exception) -> Response:
    path = request.url.path
    if isinstance(error, ApiError):
        return error.response(path)
    if isinstance(error, HTTPException):
        code = _CODES.get(error.status_code, "invalid_request")
        return ApiError(error.status_code, f"{error.detail}.", code=code, headers=error.headers).response(
            path
        )
    if isinstance(error, ZetarouteError):
        return api_error(error).response(path)
    return ApiError(
        500, "something went wrong here; the server's log tells what.", code="server_error"
    ).response(path)
