"""EmbeddingUser: what the users of the embedding endpoints share."""

from tokenswarm.metrics.record import Record
from tokenswarm.payloads.prompt import Prompt
from tokenswarm.users.base import LLMUser


class EmbeddingUser(LLMUser):
    """Asks for the vectors of `--batch-size` texts at once. It runs only where it is named.

    A server's models either embed or generate.
    """

    abstract = True
    only_named = True

    def converse(self, prompt: Prompt | None = None, scheduled_ns: int | None = None) -> Record:
        """One request with a batch of the mix's prompts; there is nothing to go on with."""
        return self.generate(prompt or self.run_context.batch(self.own_model, self), scheduled_ns)
