"""How schemathesis signs in, what it leaves alone, and how it reads content types."""

import requests
import schemathesis
from schemathesis.specs.openapi.checks import negative_data_rejection

MEDIA_TYPE = "application/vnd.appgate.peer-v23+json"
PASSWORD = "correct horse battery staple"
# The built-in user, whom `cargo xtask test` has exempted from the second factor. It signs in all
# the time: nothing generated may change it. That it cannot be deleted is tested elsewhere.
ADMIN = "5e360c9d-8756-41b4-9597-601712881a5c"
NOBODY = "00000000-0000-4000-8000-000000000000"
TOTP = "03542d1e-733c-4c43-a567-d28fbc4649a7"


def call(case, method, path, body=None, token=None):
    """Calls the API beside the test."""
    headers = {"Accept": MEDIA_TYPE}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    url = f"{case.operation.base_url.rstrip('/')}/admin/{path}"
    return requests.request(method, url, json=body, headers=headers, timeout=30)


def sign_in(case, path, username):
    """Signs in by password; the token."""
    credentials = {
        "providerName": "local",
        "deviceId": "4c07bc67-57ea-42dd-b702-c2d6c45419fc",
        "username": username,
        "password": PASSWORD,
    }
    answer = call(case, "POST", path, credentials)
    answer.raise_for_status()
    return answer.json()["token"]


def kind(case, _context=None):
    """Which token an operation takes. The one that signs out has its own, or all others would
    go with it; whenever one is refused, the next is made."""
    path = case.operation.path
    if path.startswith("/admin/authentication/otp"):
        return "partial"
    return "ended" if path == "/admin/authentication/logout" else "administration"


@schemathesis.auth(cache_by_key=kind)
class Token:
    """Tokens for the operations that take one."""

    def get(self, case, _context):
        admin = sign_in(case, "login", "admin")
        if kind(case) != "partial":
            return admin
        # The user may have been deleted meanwhile, and the second factor switched off.
        user = {"name": "partial", "firstName": "P", "lastName": "P", "password": PASSWORD}
        call(case, "POST", "local-users", user, admin)
        settings = {"providerId": TOTP}
        call(case, "PUT", "admin-mfa-settings", settings, admin).raise_for_status()
        return sign_in(case, "authentication", "partial")

    def set(self, case, token, _context):
        case.headers["Authorization"] = f"Bearer {token}"


@schemathesis.hook
def before_call(_context, case, _kwargs):
    """Leaves the user alone who signs in, and every machine but this one."""
    for part in (case.path_parameters, case.body):
        if isinstance(part, dict) and part.get("id") == ADMIN:
            part["id"] = NOBODY
    if case.operation.path == "/admin/mfa-providers/test" and isinstance(case.body, dict):
        names = case.body.get("hostnames")
        if isinstance(names, list) and any(isinstance(name, str) for name in names):
            case.body["hostnames"] = [
                "127.0.0.1" if isinstance(name, str) else name for name in names
            ]


@schemathesis.hook
def after_call(_context, case, response):
    """The document names the media type to ask for; answers bear the shorter name of it."""
    versioned = "406" in case.operation.definition.raw["responses"]
    if versioned and response.headers.get("content-type") == ["application/json"]:
        response.headers["content-type"] = [MEDIA_TYPE]


def has_null(value):
    """Whether there is a null anywhere in a body."""
    if isinstance(value, dict):
        value = list(value.values())
    return value is None or isinstance(value, list) and any(map(has_null, value))


@schemathesis.check
def wrong_data_is_refused(context, response, case):
    """As `negative_data_rejection`, but for what is ignored on purpose: a null is an absent
    field, and what makes no sense in the query of a list is not asked for."""
    if case.operation.method.upper() == "GET" or has_null(case.body):
        return None
    return negative_data_rejection(context, response, case)
