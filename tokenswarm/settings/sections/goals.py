"""Is it good enough?"""

from tokenswarm.settings import option_types as types
from tokenswarm.settings.option import Option, OptionsSection, beside

SECTION = OptionsSection(
    "Is it good enough?",
    "够好吗",
    (
        Option(
            name="--slo",
            joined=True,
            wrong="fast",
            help='What the run must keep to: `"ttft_ms p95 < 500"`, `"outcome ok > 99%"`, `"check json_invalid < 1%"`,'
            ' `"goodput > 3/s"`; may be given several times, or parted by semicolons; exit code 99 if one is not met',
            zh='运行必须达到的目标：`"ttft_ms p95 < 500"`、`"outcome ok > 99%"`、`"check json_invalid < 1%"`、'
            '`"goodput > 3/s"`；可重复给出，或用分号分隔；只要有一个未达到，退出码为 99',
        ),
        Option(
            name="--slo-abort",
            default=False,
            read_by=beside("--slo"),
            help="End the run as soon as it is certain that an SLO is crossed: requests that are under way together, or"
            " within the same second, are one proof of at least five",
            zh="一旦能确定某个 SLO 已被突破，就提前结束运行：同时在途或同一秒内的请求只算一个证据，至少要五个",
        ),
        Option(
            name="--invalid-ok",
            default=False,
            form=False,
            help="Let the exit code be that of the SLOs (0 or 99) where the run is INVALID, too; else it is 3 then",
            zh="即使运行判为 INVALID，退出码也按 SLO 给出（0 或 99）；否则此时为 3",
        ),
        Option(
            name="--find-capacity",
            default=False,
            help='Search the most users (`--users` at most, else 1000), or with `--arrivals "poisson 1/s"` the highest'
            " rate, that meet all `--slo`; the run ends with the answer ([capacity.md](capacity.md))",
            zh='搜索能满足全部 `--slo` 的最大用户数（上限为 `--users`，默认 1000）；与 `--arrivals "poisson 1/s"` 一起'
            "用时，搜索最高到达率；得出答案后运行结束（[capacity.zh-CN.md](capacity.zh-CN.md)）",
        ),
        Option(
            name="--trial-time",
            default="60s",
            type=types.timespan,
            read_by=beside("--find-capacity"),
            wrong="many",
            help="Longest time of one trial of `--find-capacity`; most are sure earlier",
            zh="搜索中一次试验的最长时间；多数试验会更早得出确定的结论",
        ),
        Option(
            name="--probe",
            default=False,
            help="Before the load, find out slots, rates, prompt cache and context of the server, in some seconds"
            " ([probe.md](probe.md))",
            zh="施压之前先用几秒钟探明服务器的 slot 数、速率、prompt 缓存和上下文长度"
            "（[probe.zh-CN.md](probe.zh-CN.md)）",
        ),
    ),
)
