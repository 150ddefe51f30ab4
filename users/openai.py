"""Users of OpenAI-compatible servers."""

from users.base import LLMUser
from wire import openai_chat, openai_completions


class OpenAIChatUser(LLMUser):
    """Asks /v1/chat/completions."""

    api = openai_chat


class OpenAICompletionsUser(LLMUser):
    """Asks /v1/completions."""

    api = openai_completions
