"""What the API says no with: a status, and {"error_code", "message"} as Databricks writes them."""

from starlette.responses import JSONResponse


class Refused(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, code: str, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.retry_after = status, code, message, retry_after

    def answer(self) -> JSONResponse:
        headers = {"Retry-After": f"{self.retry_after:g}"} if self.retry_after is not None else None
        return JSONResponse({"error_code": self.code, "message": self.message}, self.status, headers)


def bad_parameter(message: str) -> Refused:
    return Refused(400, "INVALID_PARAMETER_VALUE", message)


def no_statement(statement_id: str) -> Refused:
    return Refused(404, "RESOURCE_DOES_NOT_EXIST", f"The statement {statement_id} was not found.")
