"""Answers exceptions that a route raises: the error is counted, delayed by the client's error budget, and sent."""

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from safety_core.errors import OverloadedError, SafeVLMError
from service.api.openai.errors import convert_to_openai
from service.errors import ErrorReply, build_error_reply, build_status_reply, rename_field
from service.pipeline import RequestContext, create_context
from service.sse import ClientGoneError

_CLIENT_CLOSED_REQUEST = 499  # nginx's status; no client receives the response, but the log line has it


def add_error_handlers(app: FastAPI) -> None:
    """Register the exception handlers of an application."""
    app.add_exception_handler(SafeVLMError, handle_error)
    app.add_exception_handler(MemoryError, handle_error)
    app.add_exception_handler(HTTPException, handle_http_exception)
    app.add_exception_handler(ClientDisconnect, handle_disconnect)
    app.add_exception_handler(ClientGoneError, handle_disconnect)


async def handle_error(request: Request, exc: Exception) -> Response:
    """Answer an error of our tree, in the form of the endpoint's protocol."""
    context, reply = create_context(request), build_error_reply(exc)
    _record(context, reply)
    _drop_frames(exc)
    budget = context.service.error_budget
    if isinstance(exc, OverloadedError):
        await budget.delay_overload(context.record)
    else:
        await budget.delay_error(context.record)
    reply = rename_field(reply, context.endpoint.error_fields)
    if context.endpoint.is_openai_compatible:
        reply = convert_to_openai(reply)
    return JSONResponse(reply.body, reply.status, headers=dict(reply.headers))


async def handle_http_exception(request: Request, exc: Exception) -> Response:
    """Answer an error of the framework, such as an unknown path or a method that is not allowed."""
    assert isinstance(exc, HTTPException)
    reply = build_status_reply(exc.status_code)
    _record(create_context(request), reply)
    return JSONResponse(reply.body, exc.status_code, headers=exc.headers)


async def handle_disconnect(request: Request, exc: Exception) -> Response:
    """End a request whose client disconnected. Its work is charged, and it occupies its slot during the delay."""
    context = create_context(request)
    _drop_frames(exc)
    await context.service.error_budget.delay_error(context.record)
    return Response(status_code=_CLIENT_CLOSED_REQUEST)


def _record(context: RequestContext, reply: ErrorReply) -> None:
    context.service.metrics.rejected.labels(reply.code).inc()
    context.record.error = reply.code


def _drop_frames(exc: Exception) -> None:
    """Release the frames of an exception, which reference the body, before the response is delayed."""
    exc.__traceback__ = exc.__context__ = exc.__cause__ = None
