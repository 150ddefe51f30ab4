"""Users of OpenAI-compatible servers."""

from tokenswarm.users.base import LLMUser
from tokenswarm.users.embeddings import EmbeddingUser
from tokenswarm.wire import openai_chat, openai_completions, openai_embeddings


class OpenAIChatUser(LLMUser):
    """Asks /v1/chat/completions."""

    api = openai_chat


class OpenAICompletionsUser(LLMUser):
    """Asks /v1/completions."""

    api = openai_completions


class OpenAIEmbeddingsUser(EmbeddingUser):
    """Asks /v1/embeddings."""

    api = openai_embeddings
