"""Users of LM Studio's own API."""

from tokenswarm.users.base import LLMUser
from tokenswarm.wire import lm_studio_chat


class LMStudioChatUser(LLMUser):
    """Asks /api/v1/chat, whose answers say how long load, prefill and decoding took; where it is named."""

    only_named = True
    api = lm_studio_chat
