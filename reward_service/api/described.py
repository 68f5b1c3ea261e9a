"""What OpenAPI says of every route alike."""

from typing import Any

from reward_service.schemas import ErrorResponse, Wire

REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": ErrorResponse, "description": "No accepted API key"},
    408: {"model": ErrorResponse, "description": "The body arrived too slowly"},
    413: {"model": ErrorResponse, "description": "The body is too long"},
    415: {"model": ErrorResponse, "description": "The body is not plain JSON"},
    422: {"model": ErrorResponse, "description": "Fields that cannot be used, by name"},
    429: {"model": ErrorResponse, "description": "The queue is full; see Retry-After"},
    500: {"model": ErrorResponse, "description": "A bug of the service"},
    503: {"model": ErrorResponse, "description": "A needed part is down; see Retry-After"},
}


def described(body: type[Wire]) -> dict[str, Any]:
    """OpenAPI for a body that `body.py` parses by itself."""
    schema = {"$ref": f"#/components/schemas/{body.__name__}"}
    content = {"application/json": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}
