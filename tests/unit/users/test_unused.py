"""Options that nothing in a run uses are said in a line each."""

from options import parsed

from tokenswarm.preflight.unused import unused_options
from tokenswarm.users.lifecycle import OllamaLifecycleUser
from tokenswarm.users.ollama import OllamaChatUser, OllamaEmbedUser, OllamaGenerateUser


def said(classes: list[type], *arguments: str) -> list[str]:
    return [line.partition(" ")[0] for line in unused_options(parsed(*arguments), classes)]


def test_what_no_class_uses_is_said() -> None:
    both = ("--pull", "x", "--batch-size", "4", "--no-context", "--warm-requests", "3", "--max-tokens", "9")
    assert said([OllamaChatUser], *both) == ["--batch-size", "--no-context", "--warm-requests", "--pull"]
    assert said([OllamaEmbedUser, OllamaLifecycleUser], *both) == ["--max-tokens", "--no-context", "--warm-requests"]
    assert said([OllamaGenerateUser, OllamaEmbedUser, OllamaLifecycleUser], *both) == ["--warm-requests"]


def test_what_needs_another_option_is_said() -> None:
    assert said([OllamaChatUser], "--slo-abort", "--prefix-pool", "3") == ["--prefix-pool", "--slo-abort"]
    assert said([OllamaChatUser], "--slo-abort", "--slo", "e2e_ms p50 < 9") == []
    assert said([OllamaChatUser], "--pause-after-error", "0", "--arrivals", "5/s") == ["--pause-after-error"]
    assert said([OllamaChatUser], "--columns", "prompt=q") == ["--columns"]
    assert said([OllamaChatUser], "--columns", "prompt=q", "--payloads", "chat,mine.csv=2") == []
    assert said([OllamaChatUser]) == []
    assert unused_options(parsed("--pull", "x"), [OllamaChatUser]) == [
        "--pull does nothing here: it is for OllamaLifecycleUser"
    ]
