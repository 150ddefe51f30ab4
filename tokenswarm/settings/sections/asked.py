"""What is asked."""

from tokenswarm.payloads.corpus import BUILT_IN, names
from tokenswarm.payloads.recipe import LANGUAGES
from tokenswarm.settings import option_types as types
from tokenswarm.settings.option import GENERATING, Option, OptionsSection, Reader, beside, user_class

THINK = ("true", "false", "low", "medium", "high", "max")
_BUILT_IN = [f"`{name}`" for name in BUILT_IN]
_FILES = Reader("payload files", lambda options, _: any(name not in BUILT_IN for name in names(options.payloads)))

SECTION = OptionsSection(
    "What is asked",
    "问什么",
    (
        Option(
            name="--model",
            shown=("the only one, or the only one in memory", "唯一的模型，或唯一已在内存中的模型"),
            help="Model to load, or several (with it a server needs no list of its models): `a:3,b:1` asks three of `a`"
            " for each one of `b` ([load-shapes.md](load-shapes.md#several-models))",
            zh="要压测的模型（给出后服务器可以没有模型列表），也可以是几个：`a:3,b:1` 即每问一次 `b` 就问三次 `a`"
            "（[load-shapes.zh-CN.md](load-shapes.zh-CN.md#多个模型)）",
        ),
        Option(
            name="--weights",
            shown=("each class's own, 1", "各类自己的权重，即 1"),
            wrong="many",
            help="Weights of User classes: `OllamaChatUser=3,OllamaGenerateUser=1`; a class that is not named keeps its"
            " own ([load-shapes.md](load-shapes.md#several-classes))",
            zh="User 类的权重：`OllamaChatUser=3,OllamaGenerateUser=1`；没有写到的类保持自己的权重"
            "（[load-shapes.zh-CN.md](load-shapes.zh-CN.md#多个用户类)）",
        ),
        Option(
            name="--payloads",
            default="chat",
            wrong="nowhere.jsonl",
            measured=("prompt_tokens",),
            help=f"Prompts: built-in corpora ({', '.join(_BUILT_IN)}) or files (JSON lines or arrays, CSV, text, in"
            " many tools' formats: [payloads.md](payloads.md)), comma-separated, with weights: `chat=3,my.jsonl=1`",
            zh=f"prompt 来源：内置语料（{'、'.join(_BUILT_IN)}）或文件（JSON 行或数组、CSV、文本，支持多种工具的格式，"
            "见 [payloads.zh-CN.md](payloads.zh-CN.md)），以逗号分隔，可带权重：`chat=3,my.jsonl=1`",
        ),
        Option(
            name="--columns",
            type=types.column_names,
            read_by=_FILES,
            wrong="question",
            help="What the columns or keys of the payload files are called: `prompt=question,system=context`; a dot"
            " leads into an object, `prompt=row.question` ([payloads.md](payloads.md#files-of-any-shape))",
            zh="payload 文件的列或键各叫什么：`prompt=question,system=context`；点号深入对象，`prompt=row.question`"
            "（[payloads.zh-CN.md](payloads.zh-CN.md#任意形状的文件)）",
        ),
        Option(
            name="--system-prompt",
            wrong="@nowhere.txt",
            measured=("prompt_tokens", "cached_tokens"),
            help="A system message for each prompt, before its own: the text, or `@FILE`",
            zh="给每个 prompt 加上的系统消息，放在它自己的之前：文本，或 `@文件`",
        ),
        Option(
            name="--min-prompt-tokens",
            default=0,
            type=types.tokens_or_none,
            wrong="many",
            measured=("prompt_tokens",),
            help="Leave shorter prompts of the payloads out; their tokens are estimated by their characters, and how"
            " many were left out is said",
            zh="略去更短的 payload prompt；token 数按字符估计，并说明略去了多少个",
        ),
        Option(
            name="--max-prompt-tokens",
            default=0,
            type=types.tokens_or_none,
            shown=("no limit", "不限"),
            wrong="many",
            measured=("prompt_tokens",),
            help="Leave longer prompts of the payloads out, by the same estimate",
            zh="略去更长的 payload prompt，按同样的估计",
        ),
        Option(
            name="--prompt-tokens",
            type=types.tokens_amount,
            wrong="many",
            measured=("prompt_tokens", "ttft_ms"),
            help="Make prompts up that are so long, in tokens as the server counts them: `512`, `512±64`, `100..1000`,"
            " `lognormal 512 cv=0.5`; instead of `--payloads`",
            zh="自动生成指定长度的 prompt，以服务器自己的 token 计数为准：`512`、`512±64`、`100..1000`、"
            "`lognormal 512 cv=0.5`；代替 `--payloads`",
        ),
        Option(
            name="--prompt-language",
            default="en",
            choices=tuple(LANGUAGES),
            wrong="many",
            help=f"Language of what is made up: {' or '.join(f'`{language}`' for language in LANGUAGES)}",
            zh=f"生成文本的语言：{' 或 '.join(f'`{language}`' for language in LANGUAGES)}",
        ),
        Option(
            name="--shared-prefix-tokens",
            default=0,
            type=types.prefix_tokens,
            wrong="many",
            measured=("prompt_tokens", "cached_tokens"),
            help="Put so many tokens of made-up system prompt before each prompt, the same for all (or one of several),"
            " for a prefix cache to serve",
            zh="在每个 prompt 之前加上这么多 token 的系统提示，所有请求相同（或从若干个中选一个），供前缀缓存命中",
        ),
        Option(
            name="--prefix-pool",
            default=1,
            type=types.tokens,
            read_by=beside("--shared-prefix-tokens"),
            wrong="many",
            measured=("cached_tokens", "prompt_eval_ms"),
            help="How many different shared prefixes there are",
            zh="有多少个不同的共享前缀",
        ),
        Option(
            name="--output-tokens",
            type=types.tokens_amount,
            read_by=GENERATING,
            wrong="many",
            measured=("output_tokens",),
            help="Output limit of each prompt without one of its own, as a distribution; goes before `--max-tokens`",
            zh="没有自带上限的 prompt 的输出上限，可写成分布；优先于 `--max-tokens`",
        ),
        Option(
            name="--max-tokens",
            default=128,
            type=types.tokens,
            read_by=GENERATING,
            wrong="many",
            measured=("output_tokens", "cut_by_limit", "limit_ignored"),
            help="Output limit of every request, tokens (a prompt's own limit goes first), sent as `num_predict` or"
            " `max_tokens` (Ollama ignores `max_completion_tokens`, and has no limit of its own) unless `--options"
            " max_tokens=null` leaves it out; for servers that want it by its newer name `--options"
            " max_completion_tokens=128`",
            zh="每个请求的输出上限（prompt 自带的上限优先），以 `num_predict` 或 `max_tokens` 发送（Ollama 会忽略"
            " `max_completion_tokens`，自身也没有上限），除非用 `--options max_tokens=null` 去掉；只认新名字的服务器用"
            " `--options max_completion_tokens=128`",
        ),
        Option(
            name="--batch-size",
            default="1",
            type=types.batch_amount,
            read_by=user_class("EmbeddingUser", "OllamaEmbedUser and OpenAIEmbeddingsUser"),
            wrong="many",
            measured=("batch_size", "vectors_per_s"),
            help="Texts in one embedding request: a number or a distribution, `1..64`, `16±4`, `lognormal 16 cv=1`",
            zh="一个嵌入请求中的文本数：一个数或一个分布，如 `1..64`、`16±4`、`lognormal 16 cv=1`",
        ),
        Option(
            name="--options",
            joined=True,
            wrong="many",
            help="Request fields, as `temperature=0,seed=7` or JSON: what each API takes is in [api.md](api.md);"
            ' `"OllamaChatUser: num_ctx=8192"` is for one class; `stream_options=null` leaves a field out that the'
            " server refuses; may be given several times",
            zh="请求字段，写成 `temperature=0,seed=7` 或 JSON：各 API 接受哪些字段见 [api.md](api.md)；"
            '`"OllamaChatUser: num_ctx=8192"` 只用于一个类；`stream_options=null` 去掉服务器不认的字段；可重复给出',
        ),
        Option(
            name="--think",
            choices=("", *THINK),
            shown=("not sent", "不发送"),
            read_by=GENERATING,
            wrong="many",
            measured=("thinking_chars", "ttfa_ms"),
            help=f"Ask the model to think or not, or how hard: {', '.join(f'`{how}`' for how in THINK)}",
            zh=f"要求模型思考或不思考，或思考到什么程度：{'、'.join(f'`{how}`' for how in THINK)}",
        ),
        Option(
            name="--no-stream",
            default=False,
            read_by=GENERATING,
            measured=("e2e_ms",),
            help="Ask for answers in one piece: no TTFT, no gaps",
            zh="一次性返回完整回答：没有 TTFT，也没有间隔数据",
        ),
        Option(
            name="--unique-prompts",
            default=False,
            measured=("prompt_tokens_per_s", "cached_tokens"),
            help="Begin each prompt with a mark of its own: servers cache prompts, and a repeated one measures the"
            " cache",
            zh="给每个 prompt 加上独有的开头标记：服务器会缓存 prompt，重复的 prompt 测到的是缓存",
        ),
        Option(
            name="--seed",
            default=0,
            type=types.seed,
            wrong="many",
            help="Seed of the choice of prompts",
            zh="选取 prompt 的随机种子",
        ),
        Option(
            name="--keep-text",
            default=False,
            help="Keep prompts and answers in requests.csv, each up to a million characters",
            zh="在 requests.csv 中保留 prompt 和回答，每段至多一百万个字符",
        ),
        Option(
            name="--expect",
            default=(),
            type=types.expectation,
            form=False,
            read_by=GENERATING,
            wrong="many",
            measured=("unexpected",),
            help="What every answer must be: `contains:Paris`, `not_contains:…`, `equals:…`, `regex:^\\d+$` (searched"
            " in the text without the white space around it) or `schema:FILE.json`; may be given several times",
            zh="每个回答必须满足的条件：`contains:Paris`、`not_contains:…`、`equals:…`、`regex:^\\d+$`（在去掉首尾空白的"
            "文本中查找）或 `schema:FILE.json`；可重复给出",
        ),
    ),
)
