"""Who may look."""

from tokenswarm.settings import option_types as types
from tokenswarm.settings import secrets as secret
from tokenswarm.settings.addresses import allowed_hosts
from tokenswarm.settings.option import Option, OptionsSection

SECTION = OptionsSection(
    "Who may look",
    "谁能看到",
    (
        Option(
            name="--web-password-file",
            type=secret.file,
            shown=("no login", "不需登录"),
            form=False,
            wrong="many",
            help="File that holds the password of the web UI's login (or `TOKENSWARM_WEB_PASSWORD` holds it): then"
            " nothing is served without it, `/metrics` and reports included. Without one the web UI listens on"
            " 127.0.0.1; `--web-host` beyond that is refused",
            zh="存放网页界面登录密码的文件（也可放在 `TOKENSWARM_WEB_PASSWORD` 中）：设置之后，未登录什么也看不到，"
            "`/metrics` 和报告也一样。没有密码时网页界面只监听 127.0.0.1；用 `--web-host` 指定其他地址会被拒绝",
        ),
        Option(
            name="--web-user",
            default="tokenswarm",
            form=False,
            help="User name of the web UI's login",
            zh="网页界面登录的用户名",
        ),
        Option(
            name="--files",
            type=types.folder,
            shown=("none", "无"),
            form=False,
            wrong="many",
            help="Folder of payload files and traces that the web form may name, beside the built-in corpora and what"
            " the command line names ([security.md](security.md#the-web-ui))",
            zh="网页表单可以使用的提示词文件和 trace 所在的文件夹；内置语料和命令行里写明的文件总是可以用"
            "（[security.zh-CN.md](security.zh-CN.md#网页界面)）",
        ),
        Option(
            name="--open-ui",
            default=False,
            shown=("off", "关"),
            form=False,
            help="Let the web UI be reached from other machines without a login",
            zh="没有登录也允许其他机器访问网页界面",
        ),
        Option(
            name="--allowed-hosts",
            type=allowed_hosts,
            form=False,
            wrong="http://a",
            help="Names by which browsers reach the web UI, beside `localhost`, this machine's own and any IP address:"
            " `gpu-box.example.com`, `*.example.com` (behind a proxy the public name;"
            " [security.md](security.md#the-web-ui))",
            zh="浏览器可以用来访问网页界面的名字，此外还有 `localhost`、本机自己的名字和任何 IP 地址："
            "`gpu-box.example.com`、`*.example.com`（在代理之后则是对外的名字；[security.zh-CN.md](security.zh-CN.md#网页界面)）",
        ),
        Option(
            name="--worker-token-file",
            type=secret.file,
            shown=("none: workers on this machine only", "无：只接受本机的 worker"),
            form=False,
            wrong="many",
            help="File that holds the token by which master and workers know each other (or `TOKENSWARM_WORKER_TOKEN`"
            " holds it); `openssl rand -hex 32` makes one ([security.md](security.md))",
            zh="存放 worker 令牌的文件（也可放在 `TOKENSWARM_WORKER_TOKEN` 中），master 与 worker 凭它互相确认身份；用"
            " `openssl rand -hex 32` 生成（[security.zh-CN.md](security.zh-CN.md)）",
        ),
        Option(
            name="--metrics-port",
            type=types.listen_address,
            form=False,
            wrong="many",
            help="Show the run's figures to Prometheus at `/metrics` on this port: `9464` (loopback only),"
            " `0.0.0.0:9464`; the web UI has them at `/metrics` anyway"
            " ([distributed.md](distributed.md#figures-while-it-runs))",
            zh="在此端口的 `/metrics` 上向 Prometheus 提供本次运行的数字：`9464`（仅本机）、`0.0.0.0:9464`；网页界面"
            "本来就有 `/metrics`（[distributed.zh-CN.md](distributed.zh-CN.md)）",
        ),
    ),
)
