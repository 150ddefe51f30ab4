"""The server's own side: what it says of itself, its power, what it costs."""

from tokenswarm.settings import option_types as types
from tokenswarm.settings.option import Option, OptionsSection

SECTION = OptionsSection(
    "The server's own side",
    "服务器自身",
    (
        Option(
            name="--scrape",
            type=types.endpoints,
            kept=False,  # a query may hold a key: run.json has it without
            wrong="ftp://box",
            help="Prometheus endpoints to look at during the run, parted by commas: those of vLLM, SGLang, llama.cpp"
            " (`--metrics`), dcgm-exporter, node-exporter; into `server.csv` and the report"
            " ([server-side.md](server-side.md))",
            zh="运行期间要查看的 Prometheus 端点，用逗号分隔：vLLM、SGLang、llama.cpp（`--metrics`）、dcgm-exporter、"
            "node-exporter；写入 `server.csv` 和报告（[server-side.zh-CN.md](server-side.zh-CN.md)）",
        ),
        Option(
            name="--idle-time",
            default="5s",
            type=types.timespan,
            wrong="many",
            help="Before the load the power of the idle server is measured for so long, if it is known (nvidia-smi or"
            " RAPL of this machine, or by `--scrape`); `0s`: not at all",
            zh="施压之前测量空闲服务器功率的时长（前提是能得知功率：本机的 nvidia-smi 或 RAPL，或经由 `--scrape`）；"
            "`0s`：不测量",
        ),
        Option(
            name="--price-per-hour",
            default=0.0,
            type=types.price,
            shown=("none", "无"),
            wrong="-1",
            help="What the server costs an hour, in any currency: the report has what a million output tokens cost",
            zh="服务器每小时的价格（货币不限）：报告给出每百万输出 token 的成本",
        ),
        Option(
            name="--price-in",
            default=0.0,
            type=types.price,
            shown=("none", "无"),
            wrong="-1",
            help="Price of a million prompt tokens; with `--price-out` the report has what a million output tokens cost"
            " with their prompts",
            zh="每百万 prompt token 的价格；与 `--price-out` 一起，报告给出每百万输出 token 连同其 prompt 的成本",
        ),
        Option(
            name="--price-out",
            default=0.0,
            type=types.price,
            shown=("none", "无"),
            wrong="-1",
            help="Price of a million output tokens",
            zh="每百万输出 token 的价格",
        ),
    ),
)
