"""Sessions and tools."""

from tokenswarm.settings import option_types as types
from tokenswarm.settings.option import GENERATING, Option, OptionsSection, user_class

SECTION = OptionsSection(
    "Sessions and tools",
    "会话与工具",
    (
        Option(
            name="--think-time",
            type=types.think_time,
            shown="0s",
            wrong="soon",
            help="A user's pause between turns and between conversations: `5s`, `2s..10s`, `lognormal 20s cv=1` (a"
            " file's own delay, then a class's own `wait_time` go first)",
            zh="用户在两轮之间、两次对话之间的停顿：`5s`、`2s..10s`、`lognormal 20s cv=1`（文件自带的停顿优先，其次是类"
            "自己的 `wait_time`）",
        ),
        Option(
            name="--history",
            default="own",
            choices=("own", "file"),
            read_by=GENERATING,
            wrong="many",
            measured=("prompt_tokens", "ttft_ms"),
            help="Carry a conversation on by the model's `own` answers, or by those of the payload `file`, where it has"
            " them",
            zh="多轮对话以模型自己的回答（`own`）还是文件中的回答（`file`）作为历史",
        ),
        Option(
            name="--history-thinking",
            default=False,
            read_by=GENERATING,
            measured=("prompt_tokens", "ttft_ms"),
            help="Keep the model's thinking in the history, too",
            zh="历史中也保留模型的思考内容",
        ),
        Option(
            name="--no-context",
            default=False,
            read_by=user_class("OllamaGenerateUser"),
            measured=("prompt_tokens", "prompt_eval_ms"),
            help="On `/api/generate` send the whole history as text, not the `context` that the server handed back",
            zh="`/api/generate` 的后续轮次以文本发送全部历史，而不是发回服务器给出的 `context`",
        ),
        Option(
            name="--tool-result",
            read_by=GENERATING,
            measured=("tool_calls", "ttft_ms"),
            help="Result of every offered tool that has none in the payload file: `'{\"ok\":true}'` or any text",
            zh="文件中没有给出结果的工具一律返回它：`'{\"ok\":true}'` 或任意文本",
        ),
        Option(
            name="--tool-rounds",
            default=4,
            type=types.rounds,
            read_by=GENERATING,
            wrong="many",
            measured=("tool_calls", "ttft_ms"),
            help="How often a turn is asked on with the results of the tools that the model called",
            zh="一轮之内最多带着工具结果再问几次",
        ),
    ),
)
