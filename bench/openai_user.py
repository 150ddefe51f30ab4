"""The openai SDK under gevent, as a Locust user, for a virtual environment that has the SDK beside our lock."""

import time
import uuid
from functools import cache
from typing import Any

import openai  # type: ignore[import-not-found,unused-ignore] # it is in that environment, not in ours
from locust import task

from bench.clients import PlainRequestsUser

__all__ = ["OpenAISdkUser"]


@cache
def client(url: str) -> Any:
    """One client for all users, as the SDK's documentation has it."""
    return openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)


class OpenAISdkUser(PlainRequestsUser):
    """`chat.completions.create(stream=True)`, the clock asked at every chunk with text."""

    @task
    def ask(self) -> None:
        """One request."""
        settings = self.environment.tokenswarm.settings
        prompt = settings.mix.pick(self.place, self.asked)
        request_id, sent_ns = uuid.uuid4().hex, time.time_ns()
        chunks = client(settings.target.url).chat.completions.create(
            model=settings.ask.model,
            messages=[{"role": message.role, "content": message.content} for message in prompt.messages],
            max_tokens=settings.ask.max_tokens,
            stream=True,
            stream_options={"include_usage": True},
            extra_headers={"X-Request-Id": request_id},
        )
        arrivals = [time.time_ns() for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
        self.note("/v1/chat/completions", request_id, sent_ns, arrivals)
