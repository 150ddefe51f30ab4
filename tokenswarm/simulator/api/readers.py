"""Which reader reads which request."""

from tokenswarm.simulator.api import gojson
from tokenswarm.simulator.api import native_request as ask_native
from tokenswarm.simulator.api import v1_request as ask_v1
from tokenswarm.simulator.api.request import Api, GenerationRequest, Refused
from tokenswarm.simulator.model.models import Model
from tokenswarm.simulator.settings import SimulatorSettings

_STRUCTS: dict[Api, str] = {
    "chat": "api.ChatRequest",
    "generate": "api.GenerateRequest",
    "v1_chat": "openai.ChatCompletionRequest",
    "v1_completions": "openai.CompletionRequest",
    "v1_messages": "anthropic.MessagesRequest",
    "v1_responses": "openai.ResponsesRequest",
    "lm_chat": "chat",
}


def read(api: Api, body: bytes, models: dict[str, Model], settings: SimulatorSettings) -> GenerationRequest:
    """Read a request's body; Refused with Ollama's status and words."""
    try:
        fields = gojson.decode(body, _STRUCTS[api])
        if api == "chat":
            return ask_native.chat(fields, models, settings)
        if api == "generate":
            return ask_native.generate(fields, models, settings)
        others = {"v1_messages": ask_v1.messages, "v1_responses": ask_v1.responses, "lm_chat": ask_v1.lm_studio}
        return others.get(api, ask_v1.openai)(api, fields, models, settings)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        # A ValueError bears Go's words. The others: somewhere deep is another type than the API has there.
        said = error if isinstance(error, ValueError) else f"json: cannot unmarshal a part of the request: {error}"
        raise Refused(400, str(said), early=True) from None
