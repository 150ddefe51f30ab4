"""Can what is expected of the answers be judged at all? Said before any load."""

from collections.abc import Sequence

from tokenswarm.metrics.checks.expect import check as judgeable
from tokenswarm.payloads import expect
from tokenswarm.payloads.prompt import Prompt
from tokenswarm.settings.errors import UsageError


def check(prompts: Sequence[Prompt], expected: Sequence[expect.Expected]) -> None:
    """Raise UsageError if something that is expected cannot be judged."""
    for kind, wanted in expected:
        try:
            judgeable(kind, wanted)
        except ValueError as error:
            raise UsageError(f"--expect {kind}: {error}") from None
    for prompt in prompts:
        try:
            for kind, wanted in expect.pairs(prompt.expect):
                judgeable(kind, wanted)
        except ValueError as error:
            raise UsageError(f"--payloads: prompt {prompt.id}: {error}", "--payloads") from None
