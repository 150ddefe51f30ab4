"""The web UI's login: with a password given, nothing is served without it but the login page itself."""

from hashlib import sha256
from hmac import compare_digest
from secrets import token_bytes
from typing import Any

from flask import abort, redirect, request, session, url_for
from flask_login import LoginManager, UserMixin, current_user, login_user

OPEN = {"locust.login", "locust.send_assets", "tokenswarm_login"}
METRICS = "tokenswarm_metrics"  # for a scraper, which is told so rather than shown a page


def attach(web_ui: Any, base: str, user: str, password: str) -> None:
    """Ask for the user's name and password: on Locust's login page, or by HTTP's Basic scheme (scrapers, curl)."""
    app = web_ui.app
    app.secret_key = token_bytes(32)  # whoever is logged in has to do it again after a restart
    # Browsers send cookies to every port of a host: a name of its own, beside another UI there.
    name = f"tokenswarm-{web_ui.port}"
    app.config.update(
        SESSION_COOKIE_NAME=name, SESSION_COOKIE_SAMESITE="Lax", SESSION_COOKIE_SECURE=bool(web_ui.tls_key)
    )
    web_ui.web_login = True
    web_ui.login_manager = manager = LoginManager(app)
    manager.login_view = "locust.login"
    web_ui.auth_args = {"username_password_callback": f"{base}/tokenswarm-login"}
    known = UserMixin()
    known.id = user

    def right(name: str | None, given: str | None) -> bool:
        both = compare_digest(_digest(name), _digest(user)), compare_digest(_digest(given), _digest(password))
        return all(both)

    @manager.user_loader
    def from_session(_id: str) -> Any:
        return known

    @manager.request_loader
    def from_header(asked: Any) -> Any:
        basic = asked.authorization
        return known if basic and basic.type == "basic" and right(basic.username, basic.password) else None

    @app.before_request
    def only_known() -> Any:
        # Whatever there is or will be (Locust's routes, ours, those of a locustfile) is closed, unless named above.
        if request.endpoint in OPEN or current_user.is_authenticated:
            return None
        return abort(401) if request.endpoint == METRICS else manager.unauthorized()

    @app.route(f"{base}/tokenswarm-login", methods=["POST"], endpoint="tokenswarm_login")
    def log_in() -> Any:
        if not right(request.form.get("username"), request.form.get("password")):
            session["auth_error"] = "Wrong user name or password."
            return redirect(url_for("locust.login"))
        session["auth_error"] = None
        login_user(known)
        return redirect(url_for("locust.index"))


def _digest(text: str | None) -> bytes:
    return sha256((text or "").encode("utf-8", "surrogatepass")).digest()
