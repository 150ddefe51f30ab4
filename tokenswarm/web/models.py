"""The models that the form offers: those of the server in it, asked when somebody looks for them, and not before."""

from typing import Any

from flask import jsonify, request

from tokenswarm.run.preparation import Preparation
from tokenswarm.settings.errors import UsageError


def attach(app: Any, base: str, preparation: Preparation) -> None:
    """Add the route. A POST, since it sends a request to a server that was typed."""

    @app.route(f"{base}/tokenswarm/models", methods=["POST"], endpoint="tokenswarm_models")
    def models() -> Any:
        sent = request.form
        try:
            return jsonify(models=preparation.model_names(sent.get("host", ""), sent.get("api_key", "")))
        except UsageError as error:
            return jsonify(models=[], message=error.for_form)
