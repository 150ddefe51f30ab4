"""Users of Ollama's native API."""

from users.base import LLMUser
from wire import ollama_chat, ollama_generate


class OllamaChatUser(LLMUser):
    """Asks /api/chat."""

    api = ollama_chat


class OllamaGenerateUser(LLMUser):
    """Asks /api/generate."""

    api = ollama_generate
