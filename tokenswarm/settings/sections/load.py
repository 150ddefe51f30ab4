"""How the load comes."""

from tokenswarm.settings import option_types as types
from tokenswarm.settings.option import CLOSED_LOOP, Option, OptionsSection, beside

_OPEN = ("lateness_ms", "response_ms")

SECTION = OptionsSection(
    "How the load comes",
    "负载如何到来",
    (
        Option(
            name="--stages",
            wrong="many",
            help='Closed loop in stages: users and time, `"1x60s, 2x60s, 4x60s"`, or a ramp, `1..16x5m`; the report has'
            " them side by side, the run ends after the last one; in the web form leave the run time empty",
            zh='分阶段的闭环：`"1x60s, 2x60s, 4x60s"`，或逐步增加 `1..16x5m`；报告中各阶段并列，最后一个阶段结束后运行'
            "即结束；在网页表单里运行时间留空",
        ),
        Option(
            name="--arrivals",
            shown=("closed loop", "闭环"),
            wrong="sometimes",
            measured=_OPEN,
            help='Open loop: when requests are due, whatever the server does: `"poisson 5/s"`, `"constant 5/s"`,'
            ' `"gamma 5/s cv=2"`, `"ramp 1/s..20/s over 5m"`, `"steps 1,2,4,8/s every 60s"`,'
            ' `"sine 2/s..10/s period 10m"`',
            zh='开环：请求何时到期与服务器的表现无关：`"poisson 5/s"`、`"constant 5/s"`、`"gamma 5/s cv=2"`、'
            '`"ramp 1/s..20/s over 5m"`、`"steps 1,2,4,8/s every 60s"`、`"sine 2/s..10/s period 10m"`',
        ),
        Option(
            name="--max-in-flight",
            default=0,
            type=types.in_flight,
            shown=("`--users`, else 1000", "`--users`，否则 1000"),
            form=False,
            wrong="many",
            measured=_OPEN,
            help="Open loop: most requests in flight; what is due beyond them is dropped and counted, never sent late"
            " (default: the number of users, as always in the web UI, else 1000)",
            zh="开环中同时进行的请求数上限：超出的到期请求会被丢弃并计数，绝不会推迟发送（网页界面里总是用户数）",
        ),
        Option(
            name="--trace",
            wrong="nowhere.csv",
            measured=(*_OPEN, "prompt_tokens", "output_tokens"),
            help="Open loop by a file of times and lengths: Azure's or BurstGPT's CSV, Mooncake's JSONL (with its"
            " shared prefixes), `at_s,prompt_tokens,output_tokens`, or the `requests.csv` of an earlier run; rows"
            " may have texts of their own ([payloads.md](payloads.md#traces)); the run ends with it",
            zh="按文件中的时刻和长度进行开环：Azure 或 BurstGPT 的 CSV、Mooncake 的 JSONL（保留其共享前缀）、"
            "`at_s,prompt_tokens,output_tokens`，或以前某次运行的 `requests.csv`；行内可自带文本"
            "（[payloads.zh-CN.md](payloads.zh-CN.md#trace)）；放完即结束",
        ),
        Option(
            name="--trace-time-unit",
            choices=("", "s", "ms", "us", "ns"),
            shown=("that of the file's kind, where it can be only one", "该类文件的单位，但须没有歧义"),
            wrong="many",
            measured=_OPEN,
            help="What the plain numbers under `timestamp`, `Timestamp` or `TIMESTAMP` of the trace count",
            zh="trace 文件中 `timestamp`、`Timestamp` 或 `TIMESTAMP` 下的纯数字以什么为单位",
        ),
        Option(
            name="--speed",
            default=1.0,
            type=types.factor,
            shown="1",
            wrong="many",
            measured=_OPEN,
            help="Replay the trace so many times as fast: `10x`, `0.5`",
            zh="以这么多倍的速度重放：`10x`、`0.5`",
        ),
        Option(
            name="--trace-window",
            shown=("all", "全部"),
            wrong="many",
            help="The part of the trace to replay, by its own clock: `10m..20m`",
            zh="只重放其中一段，按它自己的时钟：`10m..20m`",
        ),
        Option(
            name="--trace-scale-tokens",
            default=1.0,
            type=types.factor,
            shown="1",
            wrong="many",
            measured=("prompt_tokens", "output_tokens"),
            help="Make the trace's prompts and answers so many times as long: `0.25`",
            zh="prompt 和回答的长度乘以这个数：`0.25`",
        ),
        Option(
            name="--same-prompts",
            default=False,
            read_by=CLOSED_LOOP,
            measured=("ttft_ms", "tpot_ms", "prompt_tokens"),
            help="Ask each prompt through every named class's API, in turns, each time with a mark of its own (as"
            " `--unique-prompts`); the report has the APIs side by side ([agents.md](agents.md#the-same-prompts))",
            zh="每个 prompt 依次通过所写的每个类的 API 各问一次，每次带独有的标记（同 `--unique-prompts`）；报告中"
            "各 API 并列（[agents.zh-CN.md](agents.zh-CN.md#相同的-prompt)）",
        ),
        Option(
            name="--depths",
            type=types.depths,
            read_by=CLOSED_LOOP,
            wrong="deep",
            measured=("prompt_tokens_per_s", "decode_tokens_per_s", "cached_tokens"),
            help="Prefill and decode behind contexts of so many tokens, `0,4096,16384`: `--max-tokens` are decoded,"
            " `--prompt-tokens` (512) prefilled behind each, as llama-bench does"
            " ([load-shapes.md](load-shapes.md#context-depths))",
            zh="在这么多 token 的上下文之后测预填充和解码，`0,4096,16384`：每处解码 `--max-tokens` 个、预填充"
            " `--prompt-tokens`（512）个 token，同 llama-bench"
            "（[load-shapes.zh-CN.md](load-shapes.zh-CN.md#上下文深度)）",
        ),
        Option(
            name="--requests",
            default=0,
            type=types.requests,
            shown=("no such end", "不以此结束"),
            wrong="many",
            help="End the run after so many requests, all told, over all workers; in an open loop with the arrival"
            " of that number",
            zh="所有 worker 合计发出这么多请求后结束运行；开环中以第这么多个到达为止",
        ),
        Option(
            name="--each-prompt-once",
            default=False,
            help="Ask each prompt of the payloads once, in their order, whatever their weights, over all workers; then"
            " the run ends (with `--requests` after so many of them). A prompt is a whole conversation",
            zh="payload 中的每个 prompt 只问一次，按其顺序，不论权重，所有 worker 合计；问完即结束（给出 `--requests`"
            " 时问完这么多个即结束）。一个 prompt 是一整段对话",
        ),
        Option(
            name="--shuffle-prompts",
            default=False,
            read_by=beside("--each-prompt-once"),
            help="Ask them in an order drawn by `--seed`",
            zh="按 `--seed` 抽出的顺序问",
        ),
        Option(
            name="--warmup",
            default="0s",
            type=types.timespan,
            wrong="soon",
            help="Leave the requests of this first part of the run out of all figures (`10s`, `2m`); their rows are"
            " kept and marked",
            zh="运行开头这一段（`10s`、`2m`）的请求不计入任何数字；它们的行会保留并标明",
        ),
        Option(
            name="--pause-after-error",
            default=1.0,
            type=types.pause,
            shown="1 s",
            read_by=CLOSED_LOOP,
            wrong="many",
            help="How long a user waits after a failed request, s: a server that is down is not hammered",
            zh="请求失败后该用户的等待时间（秒）：避免对已宕机的服务器狂发请求",
        ),
    ),
)
