"""What a server has in memory, as /api/ps says: asked over one connection of its own, beside the load."""

from dataclasses import dataclass

from tokenswarm.metrics.load_state import Memory
from tokenswarm.transport.control import ControlClient, Unanswered, count_in, objects, text_in


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in memory; sizes in bytes, `expires_at` as the server wrote it."""

    model: str
    size_bytes: int | None
    size_vram_bytes: int | None
    context_length: int | None
    expires_at: str


class ModelListing(ControlClient):
    """Asks an Ollama for the models in memory."""

    def read_loaded(self) -> tuple[LoadedModel, ...]:
        """The models in memory. Raises Unanswered."""
        return tuple(
            LoadedModel(
                text_in(model, "name") or "",
                count_in(model, "size"),
                count_in(model, "size_vram"),
                count_in(model, "context_length"),
                text_in(model, "expires_at") or "",
            )
            for model in objects(self.get("/api/ps"), "models")
        )

    def memory(self, model: str) -> Memory | None:
        """Is a model in memory, are others, or nothing? None if the server does not say."""
        try:
            names = {loaded.model for loaded in self.read_loaded()}
        except Unanswered:
            return None
        return "listed" if {model, full_name(model)} & names else "others" if names else "empty"


def full_name(model: str) -> str:
    """A model's name as Ollama lists it."""
    return model if ":" in model.rpartition("/")[2] else f"{model}:latest"
