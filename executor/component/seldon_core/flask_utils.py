"""Owns the stand-in for `seldon_core.flask_utils`: the exception that says which HTTP status it wants.

Must not know Flask.
"""

from typing import Any


class SeldonMicroserviceException(Exception):
    """User code raises it to answer with an HTTP status, an application's code and a reason of its choice."""

    status_code = 400
    app_code = -1

    def __init__(
        self,
        message: str,
        status_code: int | None = None,
        payload: Any = None,
        reason: str = "MICROSERVICE_BAD_DATA",
    ) -> None:
        super().__init__(message)
        self.message = message
        if status_code is not None:
            self.status_code = status_code
        self.payload = payload
        self.reason = reason

    def to_dict(self) -> dict[str, Any]:
        """The error body."""
        return {"status": {"code": self.app_code, "info": self.message, "reason": self.reason, "status": 1}}
