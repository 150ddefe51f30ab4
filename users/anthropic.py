"""Users of servers that speak Anthropic's API."""

from tokenswarm.users.base import LLMUser
from tokenswarm.wire import anthropic_messages


class AnthropicMessagesUser(LLMUser):
    """Asks /v1/messages, as Claude Code and others do; where it is named, since not every server has it."""

    only_named = True
    api = anthropic_messages
