"""Users of Ollama's native API."""

from tokenswarm.users.base import LLMUser
from tokenswarm.users.embeddings import EmbeddingUser
from tokenswarm.wire import ollama_chat, ollama_embed, ollama_generate


class OllamaChatUser(LLMUser):
    """Asks /api/chat."""

    api = ollama_chat


class OllamaGenerateUser(LLMUser):
    """Asks /api/generate."""

    api = ollama_generate


class OllamaEmbedUser(EmbeddingUser):
    """Asks /api/embed."""

    api = ollama_embed
