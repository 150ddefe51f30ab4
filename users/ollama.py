"""Users of Ollama's native API."""

from users.base import LLMUser
from users.embedding import EmbeddingUser
from wire import ollama_chat, ollama_embed, ollama_generate


class OllamaChatUser(LLMUser):
    """Asks /api/chat."""

    api = ollama_chat


class OllamaGenerateUser(LLMUser):
    """Asks /api/generate."""

    api = ollama_generate


class OllamaEmbedUser(EmbeddingUser):
    """Asks /api/embed."""

    api = ollama_embed
