"""docs/options.md and docs/options.zh-CN.md, by `python -m docs.generate.options_page`, from our options."""

from pathlib import Path

from tokenswarm.settings.option import Option
from tokenswarm.settings.options import SECTIONS

PAGES = ("options.md", "options.zh-CN.md")
HEADS = (
    """# Options

All are Locust options: command line, environment (`TOKENSWARM_MODEL` …), config file and web form, but for the secret
and local ones, which the form does not show. What Locust itself can do (`--users`, `--spawn-rate`, `--run-time`,
`--stop-timeout`, `--processes`, `--master`, `--csv`, a config file …) is in `locust --help`. The fields of requests,
for `--options`, are in [api.md](api.md). ([中文](options.zh-CN.md))

<!-- Made by `python -m docs.generate.options_page`; a test holds it up to date. -->""",
    "# 选项\n\n以下全部是 Locust 选项：可通过命令行、环境变量（`TOKENSWARM_MODEL` 等）、配置文件和 Web 表单设置；涉密的"
    "和只与本机有关的选项不会出现在表单里。Locust 自身的选项（`--users`、`--spawn-rate`、`--run-time`、"
    "`--stop-timeout`、`--processes`、`--master`、`--csv`、配置文件等）见 `locust --help`；`--options` 可用的请求字段见"
    " [api.md](api.md)。([English](options.md))\n\n<!-- 由 `python -m docs.generate.options_page` 生成。 -->",
)
COLUMNS = ("| option | default | |", "| 选项 | 默认值 | 说明 |")
# Locust's own option, of which we make more.
HOST = Option(
    name="--host",
    shown=("`OLLAMA_HOST`, else `http://127.0.0.1:11434`", "`OLLAMA_HOST`，否则 `http://127.0.0.1:11434`"),
    help="The server: an address, or what its page says to paste, an endpoint's whole URL (`…/v1/chat/completions`), a"
    " prefix (`/v3`, `/v1beta/openai`, `/openai/deployments/NAME?api-version=…`). What stands where is found out by"
    " asking. Requests go straight there: `HTTP_PROXY` and the like are not used, and no redirect is followed",
    zh="服务器：地址，或其页面上给出的写法：端点的完整 URL（`…/v1/chat/completions`）、前缀（`/v3`、`/v1beta/openai`、"
    "`/openai/deployments/NAME?api-version=…`）；各路径在哪里，由询问得知。请求直达该处：不使用 `HTTP_PROXY` 等，也不"
    "跟随重定向",
)


def page(language: int) -> str:
    """The whole page: 0 in English, 1 in Chinese."""
    parts = [HEADS[language]]
    for section in SECTIONS:
        rows = [HOST, *section.options] if section.english == "The connection" else section.options
        title = (section.english, section.chinese)[language]
        table = [COLUMNS[language], "|---|---|---|", *(_row(option, language) for option in rows)]
        parts += [f"## {title}", "\n".join(table)]
    return "\n\n".join(parts) + "\n"


def _row(option: Option, language: int) -> str:
    cells = (f"`{option.name}`", _default(option, language), (option.help, option.zh)[language])
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(option: Option, language: int) -> str:
    if option.shown:
        return option.shown if isinstance(option.shown, str) else option.shown[language]
    if option.default is False or option.default in ("", ()):
        return ""
    if option.choices or isinstance(option.default, str):
        return f"`{option.default}`"
    return str(option.default)


if __name__ == "__main__":
    for language, name in enumerate(PAGES):
        (Path(__file__).parents[1] / name).write_text(page(language), encoding="utf-8")
