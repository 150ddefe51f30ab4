"""The command that repeats a run, from what run.json has of its options."""

import shlex
from collections.abc import Mapping
from typing import Any

# What an option is where nobody sets it, if that is more than nothing: such a one need not be said again.
USUAL: Mapping[str, Any] = {
    "batch_size": "1",
    "cold_keep_alive": "2s",
    "connect_timeout": 10.0,
    "first_byte_timeout": 300.0,
    "history": "own",
    "idle_time": "5s",
    "max_answer_bytes": 64_000_000,
    "max_tokens": 128,
    "name": "run",
    "pause_after_error": 1.0,
    "payloads": "chat",
    "prefix_pool": 1,
    "prompt_language": "en",
    "request_timeout": 300.0,
    "run_dir": "runs",
    "sample_every": "2s",
    "speed": 1.0,
    "tool_rounds": 4,
    "trace_scale_tokens": 1.0,
    "trial_time": "60s",
    "wait_ready": "0s",
    "warm_requests": 1,
    "warmup": "0s",
    "web_user": "tokenswarm",
    "spawn_rate": 1.0,
}
RENAMED = {"num_users": "users"}
NOT_SAID = frozenset({"run_id", "scale", "layout", "api_key_file", "web_password_file", "web_user", "no_report"})
SECONDS = frozenset({"run_time"})


def command(info: Mapping[str, Any]) -> str:
    """`locust --host … --headless --users 8 …`, all of it in one line; empty where run.json has no options.

    Secrets are in none: a key comes from its file or the environment again.
    """
    options, target = info.get("options"), info.get("target")
    if not isinstance(options, dict) or not isinstance(target, dict):
        return ""
    words = ["locust", *(["--host", str(target["host"])] if target.get("host") else []), "--headless"]
    for name, value in options.items():
        chosen = bool(value) or (name in USUAL and value == 0)  # 0 is a choice where the usual is more
        if name in NOT_SAID or not chosen or value == USUAL.get(name):
            continue
        words += _said(f"--{str(RENAMED.get(name, name)).replace('_', '-')}", value, name in SECONDS)
    classes = info.get("user_classes")
    return shlex.join([*words, *map(str, classes if isinstance(classes, list) else ())])


def _said(option: str, value: Any, seconds: bool) -> list[str]:
    if value is True:
        return [option]
    if isinstance(value, list):
        return [word for one in value for word in (option, str(one))]
    return [option, f"{value:g}s" if seconds and isinstance(value, (int, float)) else str(value)]
