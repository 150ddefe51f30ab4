"""Loading and managing models."""

from tokenswarm.settings import option_types as types
from tokenswarm.settings.option import Option, OptionsSection, user_class

_COLD, _LIFE = user_class("OllamaColdStartUser"), user_class("OllamaLifecycleUser")

SECTION = OptionsSection(
    "Loading and managing models",
    "模型的加载与管理",
    (
        Option(
            name="--cold-keep-alive",
            default="2s",
            type=types.timespan,
            read_by=_COLD,
            wrong="many",
            measured=("load_ms",),
            help="OllamaColdStartUser: keep_alive of its requests, which it lets expire; `0s`: it unloads the model",
            zh="`OllamaColdStartUser`：其请求的 keep_alive，等待它到期；`0s`：直接卸载模型",
        ),
        Option(
            name="--warm-requests",
            default=1,
            type=types.requests,
            read_by=_COLD,
            wrong="many",
            measured=("load_ms",),
            help="OllamaColdStartUser: requests to the loaded model after each cold one",
            zh="`OllamaColdStartUser`：每个冷请求之后的热请求数",
        ),
        Option(
            name="--pull",
            read_by=_LIFE,
            measured=("e2e_ms",),
            help="OllamaLifecycleUser: model to pull in each round, from its registry; it stays on the server",
            zh="`OllamaLifecycleUser`：每轮从仓库拉取的模型；它会留在服务器上",
        ),
        Option(
            name="--push",
            read_by=_LIFE,
            measured=("e2e_ms",),
            help="OllamaLifecycleUser: model to push in each round, to its registry",
            zh="`OllamaLifecycleUser`：每轮推送到仓库的模型",
        ),
        Option(
            name="--sample-every",
            default="2s",
            type=types.timespan,
            wrong="many",
            help="How often an Ollama is asked for the models in memory and its version (`server.csv`), and"
            " the server's own side is looked at; `0s`: never",
            zh="每隔多久询问一次 Ollama 内存中有哪些模型及其版本，写入 `server.csv`，"
            "并查看服务器自身的情况；`0s`：不询问",
        ),
    ),
)
