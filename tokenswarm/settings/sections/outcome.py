"""What comes out."""

from tokenswarm.settings import option_types as types
from tokenswarm.settings.option import Option, OptionsSection

SECTION = OptionsSection(
    "What comes out",
    "产出",
    (
        Option(
            name="--run-dir",
            default="runs",
            type=types.run_dir,
            form=False,
            help="Where run folders are made",
            zh="运行目录放在哪里",
        ),
        Option(
            name="--name",
            default="run",
            help="Name of the run, part of its folder's name",
            zh="运行的名字，是其目录名的一部分",
        ),
        Option(
            name="--lang",
            default="en",
            choices=("en", "zh"),
            kept=False,
            help="Language of the report, and of what the terminal shows of it: `en`, or `zh` (Chinese)",
            zh="报告以及终端所示内容的语言：`en`（英文）或 `zh`（中文）",
        ),
        Option(
            name="--plain",
            default=False,
            kept=False,
            form=False,
            help="On a terminal, too: a line every 10 s in the place of the live block"
            " ([watching.md](watching.md#in-the-terminal))",
            zh="在终端上也每 10 s 输出一行，不显示实时面板（[watching.zh-CN.md](watching.zh-CN.md#在终端里)）",
        ),
        Option(
            name="--locust-tables",
            default=False,
            kept=False,
            form=False,
            help="Print Locust's own tables, too: every 2 s, and at the end",
            zh="同时输出 Locust 自己的表格：每 2 s 一次，结束时一次",
        ),
        Option(
            name="--no-report",
            default=False,
            help="Write no report at the end (`python -m reports FOLDER` does it later)",
            zh="结束时不生成报告；之后可用 `python -m reports FOLDER` 生成",
        ),
    ),
)
