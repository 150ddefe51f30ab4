"""Who asks: Locust User classes, one file an API, for the locustfile here and for those of others.

`base` has LLMUser, which asks and tells; `conversation`, `depths` and `same_prompts` are its ways of asking,
`request_fields` and `answer_checks` what goes with a request, `waiting` its pauses, `context` what the users of one
process share. `cold_start` and `lifecycle` are Ollama's alone. In each process with users: a worker, or the only one.
"""

if __name__ == "users":  # a second module for the same file would make every class twice
    raise ImportError("say tokenswarm.users")

from tokenswarm.users.anthropic import AnthropicMessagesUser
from tokenswarm.users.base import LLMUser
from tokenswarm.users.cold_start import OllamaColdStartUser, OllamaSwapUser
from tokenswarm.users.embeddings import EmbeddingUser
from tokenswarm.users.lifecycle import OllamaLifecycleUser
from tokenswarm.users.lm_studio import LMStudioChatUser
from tokenswarm.users.ollama import OllamaChatUser, OllamaEmbedUser, OllamaGenerateUser
from tokenswarm.users.openai import OpenAIChatUser, OpenAICompletionsUser, OpenAIEmbeddingsUser, OpenAIResponsesUser

__all__ = [
    "AnthropicMessagesUser",
    "EmbeddingUser",
    "LLMUser",
    "LMStudioChatUser",
    "OllamaChatUser",
    "OllamaColdStartUser",
    "OllamaEmbedUser",
    "OllamaGenerateUser",
    "OllamaLifecycleUser",
    "OllamaSwapUser",
    "OpenAIChatUser",
    "OpenAICompletionsUser",
    "OpenAIEmbeddingsUser",
    "OpenAIResponsesUser",
]
