"""The connection."""

from tokenswarm.settings import option_types as types
from tokenswarm.settings import secrets as secret
from tokenswarm.settings.option import Option, OptionsSection

SECTION = OptionsSection(
    "The connection",
    "连接",
    (
        Option(
            name="--path",
            form=False,
            help="Where the server takes the requests of the one User class that runs, if it is at no usual path:"
            " `/serving-endpoints/NAME/invocations`",
            zh="所运行的那一个 User 类的路径，用于没有常用路径合适时：`/serving-endpoints/NAME/invocations`",
        ),
        Option(
            name="--wait-ready",
            default="0s",
            type=types.timespan,
            wrong="many",
            help="Wait so long for a server that is not there yet, or says that it loads (503), is busy (429, 529) or"
            " has none behind it (502, 504)",
            zh="服务器还未就绪时最多等待多久：尚未启动，或自称正在加载（503）、繁忙（429、529）、后面没有服务"
            "（502、504）",
        ),
        Option(
            name="--api-key",
            shown="`OPENAI_API_KEY`",
            secret=True,
            kept=False,
            wrong="two words",
            help="Key for the Authorization header, kept in no file; better left to `OPENAI_API_KEY`",
            zh="用于 Authorization 请求头，不写入任何文件；最好留给 `OPENAI_API_KEY`",
        ),
        Option(
            name="--api-key-file",
            type=secret.file,
            form=False,
            wrong="many",
            help="File that holds the key for the Authorization header: no key on a command line or in an environment",
            zh="存放 Authorization 请求头所用密钥的文件：密钥不必出现在命令行或环境变量里",
        ),
        Option(
            name="--header",
            default=(),
            form=False,
            kept=False,  # it may hold a key; run.json has what can be shown of it
            wrong="nocolon",
            help='Further header, `"Name: value"`; may be given several times',
            zh='额外的请求头，`"Name: value"`，可重复给出',
        ),
        Option(
            name="--request-timeout",
            default=300.0,
            type=types.seconds,
            shown="300 s",
            wrong="many",
            measured=("e2e_ms",),
            help="Longest time from sending a request to the end of its answer, s",
            zh="从发出请求到回答结束的最长时间（秒）",
        ),
        Option(
            name="--first-byte-timeout",
            default=300.0,
            type=types.seconds,
            shown="300 s",
            wrong="many",
            measured=("first_byte_ms",),
            help="Longest time from sending a request to the first byte of its answer, s; what only keeps the"
            " connection alive (comments, blank lines, messages with nothing in them) is none",
            zh="从发出请求到收到响应体首字节的最长时间（秒）；只为保持连接的内容（注释、空行、空消息）不算",
        ),
        Option(
            name="--connect-timeout",
            default=10.0,
            type=types.seconds,
            shown="10 s",
            wrong="many",
            measured=("connect_ms",),
            help="Longest time to open a connection, s",
            zh="建立连接的最长时间（秒）",
        ),
        Option(
            name="--max-answer-bytes",
            default=64_000_000,
            type=types.answer_bytes,
            shown="64 MB",
            wrong="many",
            measured=("text_chars",),
            help="Longest answer, bytes (also `500kB`, `64MB`, `1GB`): what is longer is cut off there, a"
            " `protocol_error`, and its connection is closed",
            zh="最长的回答，字节（也可写 `500kB`、`64MB`、`1GB`）：超过即记为 `protocol_error`，并立即关闭连接",
        ),
        Option(
            name="--new-connection",
            default=False,
            measured=("connect_ms",),
            help="Open a new connection for every request, instead of one a user",
            zh="每个请求新建一个连接，而不是每个用户一个连接",
        ),
        Option(
            name="--insecure",
            default=False,
            form=False,
            help="Accept any TLS certificate",
            zh="TLS 不校验证书",
        ),
        Option(
            name="--ca-cert",
            form=False,
            help="PEM file of the certificate authority to trust",
            zh="所信任的 CA 的 PEM 文件",
        ),
    ),
)
