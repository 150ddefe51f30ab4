"""Users of OpenAI-compatible servers."""

from tokenswarm.users.base import LLMUser
from tokenswarm.users.embeddings import EmbeddingUser
from tokenswarm.wire import openai_chat, openai_completions, openai_embeddings, openai_responses


class OpenAIChatUser(LLMUser):
    """Asks /v1/chat/completions."""

    api = openai_chat


class OpenAICompletionsUser(LLMUser):
    """Asks /v1/completions."""

    api = openai_completions


class OpenAIResponsesUser(LLMUser):
    """Asks /v1/responses, as Codex and others do; where it is named, since not every server has it."""

    only_named = True
    api = openai_responses


class OpenAIEmbeddingsUser(EmbeddingUser):
    """Asks /v1/embeddings."""

    api = openai_embeddings
