"""Users of OpenAI-compatible servers."""

from users.base import LLMUser
from users.embedding import EmbeddingUser
from wire import openai_chat, openai_completions, openai_embeddings


class OpenAIChatUser(LLMUser):
    """Asks /v1/chat/completions."""

    api = openai_chat


class OpenAICompletionsUser(LLMUser):
    """Asks /v1/completions."""

    api = openai_completions


class OpenAIEmbeddingsUser(EmbeddingUser):
    """Asks /v1/embeddings."""

    api = openai_embeddings
