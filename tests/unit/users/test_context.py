"""What the users of one process share."""

import pytest
from locust.env import Environment

from tokenswarm.users.ollama import OllamaChatUser


def test_a_user_of_an_environment_that_we_did_not_hear_of_says_what_is_missing() -> None:
    user = OllamaChatUser(Environment(user_classes=[OllamaChatUser], host="http://127.0.0.1:1"))
    with pytest.raises(RuntimeError, match=r"make it with events=locust\.events and fire events\.init"):
        user.on_start()
