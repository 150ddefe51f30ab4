"""Our options, as Locust's own: command line, environment, config file and web form."""

import os
from argparse import ArgumentTypeError, _AppendAction
from collections.abc import Callable, Sequence
from typing import Any

from locust.util.timespan import parse_timespan

from tokenswarm.metrics.checks.expect import check as check_expected
from tokenswarm.payloads.batch import MOST as MOST_TEXTS
from tokenswarm.payloads.corpus import BUILT_IN
from tokenswarm.payloads.distribution import parse
from tokenswarm.payloads.expect import from_option
from tokenswarm.payloads.formats.lengths import MOST as MOST_TOKENS
from tokenswarm.payloads.recipe import LANGUAGES
from tokenswarm.settings import secrets as secret
from tokenswarm.settings.addresses import allowed_hosts
from tokenswarm.settings.errors import checked

THINK = ("true", "false", "low", "medium", "high", "max")


def number(
    convert: Callable[[str], float], least: float, what: str, most: float = 1e9
) -> Callable[[str], Any]:
    """A check for argparse: a number in these bounds, else the text says what to give."""

    def check(text: str) -> Any:
        text = " ".join(text.split())
        try:
            value = convert(text)
        except (ValueError, OverflowError):
            raise ArgumentTypeError(f"▸{text}◂ is no number; give {what}") from None
        if not least <= value <= most:
            raise ArgumentTypeError(f"▸{text}◂ is too small or too large; give {what}")
        return value

    return check


tokens = number(int, 1, "a whole number of tokens, 1 or more")
prefix_tokens = number(int, 0, "a whole number of tokens, 0 or more", MOST_TOKENS)
seconds = number(float, 0.001, "seconds above 0")
factor = number(lambda text: float(text.lower().removesuffix("x")), 1e-6, "a number above 0, such as 2x or 0.5")
in_flight = number(int, 0, "a whole number of requests")
seed = number(int, 0, "a whole number, 0 or more", float("inf"))
pause = number(float, 0, "seconds, 0 or more")
rounds = number(int, 0, "a whole number of rounds, 0 or more")
requests = number(int, 0, "a whole number of requests, 0 or more")


def _bytes(text: str) -> int:
    number, unit = text, 1
    for suffix, size in (("gb", 10**9), ("mb", 10**6), ("kb", 10**3), ("b", 1)):
        if text.lower().endswith(suffix):
            number, unit = text[: -len(suffix)], size
            break
    return round(float(number) * unit)


answer_bytes = number(_bytes, 1000, "bytes, 1kB to 100GB, such as 64MB", 1e11)


def expectation(text: str) -> str:
    """One `--expect`; kept as text, since workers get it so."""
    try:
        check_expected(*from_option(text))
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
    return text


def timespan(text: str) -> str:
    """A time span as Locust writes it; kept as text, since the web form gives it back so."""
    try:
        parse_timespan(text)
    except (ValueError, OverflowError):
        raise ArgumentTypeError(f"▸{text}◂ is no time span; give 20, 20s, 3m, 1h20m …") from None
    return text


def think_time(text: str) -> str:
    """A distribution of pauses; kept as text for the same reason."""
    try:
        if text.strip():
            parse(text, "s")
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
    return text


class Joined(_AppendAction):
    """An option that may be given several times: one text, parted by semicolons, which fits a line of a web form."""

    def __call__(self, _parser: Any, namespace: Any, value: Any, _name: Any = None) -> None:
        earlier = getattr(namespace, self.dest)
        setattr(namespace, self.dest, f"{earlier}; {value}" if earlier else value)


def amount(most: int) -> Callable[[str], str]:
    """A number of texts or tokens, or a distribution of them; kept as text, as a time span is."""

    def check(text: str) -> str:
        try:
            if text.strip():
                parse(text, least=1, most=most)
        except ValueError as error:
            raise ArgumentTypeError(str(error)) from None
        return text

    return check


tokens_amount, batch_amount = amount(MOST_TOKENS), amount(MOST_TEXTS)
def listening(text: str) -> str:
    """Where to listen: a port, on the loopback interface unless a host stands before it."""
    port = text.rpartition(":")[2]
    if text and not (port.isdecimal() and 0 < int(port) < 65536):
        raise ArgumentTypeError(f"▸{text}◂ is no port; give 9464, or HOST:9464")
    return text


def folder(text: str) -> str:
    """A folder that is there."""
    if text and not os.path.isdir(text):
        raise ArgumentTypeError(f"▸{text}◂ is no folder; name one that is there")
    return text


def _one_of(choices: Sequence[str]) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text not in choices:
            raise ArgumentTypeError(f"▸{text}◂ is no choice; give one of {', '.join(filter(None, choices))}")
        return text

    return check


# All filled when our options are added: their destinations, and the checks of what the web form holds for them as
# text, which Locust itself converts without asking.
OURS: set[str] = set()
CHECKED: dict[str, Callable[[str], Any]] = {}
DEFAULTS: dict[str, Any] = {}
# This process's own folder. With the order to spawn the master's options come over a worker's, and to one that joins a
# run that goes on before anything of ours has looked at them.
OWN: dict[str, str] = {}


def _own_run_dir(text: str) -> str:
    OWN["run_dir"] = text
    return text


def add(parser: Any, **_: Any) -> None:
    """Add the options to Locust's parser (listener of init_command_line_parser)."""

    def option(*names: str, **details: Any) -> None:
        if "type" in details:
            details["type"] = checked(details["type"])
        dest = parser.add_argument(*names, **details).dest
        OURS.add(dest)
        DEFAULTS[dest] = details["default"]
        check = _one_of(details["choices"]) if "choices" in details else details.get("type")
        if check is not None:
            CHECKED[dest] = check

    option("--model", env_var="TOKENSWARM_MODEL", default="", help="Model to load, or several with weights, a:3,b:1 or a=3,b=1; may be left out if the server has just one (or has one in memory)")
    option("--weights", env_var="TOKENSWARM_WEIGHTS", default="", help="Weights of User classes: OllamaChatUser=3,OllamaGenerateUser=1; a class that is not named keeps its own")
    option("--files", env_var="TOKENSWARM_FILES", type=folder, default="", include_in_web_ui=False, help="Folder of payload files and traces that the web form may name, beside those that the command line names")
    option("--payloads", env_var="TOKENSWARM_PAYLOADS", default="chat", help=f"Prompts: built-in corpora ({', '.join(BUILT_IN)}) or files (JSON, CSV, text), comma-separated, with weights: chat=3,my.jsonl=1")
    option("--stages", env_var="TOKENSWARM_STAGES", default="", help="Closed loop in stages: users and time, 1x60s, 2x60s, 4x60s, or a ramp, 1..16x5m; the run ends after the last one; in the web form leave the run time empty")
    option("--arrivals", env_var="TOKENSWARM_ARRIVALS", default="", help='Open loop: "poisson 5/s", "constant 5/s", "gamma 5/s cv=2", "ramp 1/s..20/s over 5m", "steps 1,2,4,8/s every 60s", "sine 2/s..10/s period 10m": requests are due at times of their own, whatever the server does')
    option("--max-in-flight", env_var="TOKENSWARM_MAX_IN_FLIGHT", type=in_flight, default=0, include_in_web_ui=False, help="Open loop: most requests in flight; what is due beyond them is dropped and counted (default: the number of users, as always in the web UI, else 1000)")
    option("--trace", env_var="TOKENSWARM_TRACE", default="", help="Open loop by a file: when requests came and how long they were; Azure's and BurstGPT's CSV, Mooncake's JSONL, at_s,prompt_tokens,output_tokens, or the requests.csv of an earlier run")
    option("--speed", env_var="TOKENSWARM_SPEED", type=factor, default=1.0, help="Replay the trace so many times as fast: 10, 0.5")
    option("--trace-window", env_var="TOKENSWARM_TRACE_WINDOW", default="", help="The part of the trace to replay, by its own clock: 10m..20m")
    option("--trace-scale-tokens", env_var="TOKENSWARM_TRACE_SCALE_TOKENS", type=factor, default=1.0, help="Make the trace's prompts and answers so many times as long: 0.25")
    option("--think-time", env_var="TOKENSWARM_THINK_TIME", type=think_time, default="", help="A user's pause between turns and between conversations: 5s, 2s..10s, lognormal 20s cv=1 (a file's own delay, then a class's own wait_time go first)")
    option("--warmup", env_var="TOKENSWARM_WARMUP", type=timespan, default="0s", help="Leave the requests of this first part of the run out of all figures (10s, 2m); their rows are kept and marked")
    option("--slo", env_var="TOKENSWARM_SLO", action=Joined, default="", help='What the run must keep to: "ttft_ms p95 < 500", "outcome ok > 99%%", "check json_invalid < 1%%", "goodput > 3/s"; may be given several times, or parted by semicolons; exit code 99 if one is not met')
    option("--slo-abort", env_var="TOKENSWARM_SLO_ABORT", action="store_true", default=False, help="End the run as soon as it is certain that an SLO is crossed")
    option("--invalid-ok", env_var="TOKENSWARM_INVALID_OK", action="store_true", default=False, include_in_web_ui=False, help="Let the exit code be that of the SLOs (0 or 99) where the run is INVALID, too; else it is 3 then")
    option("--find-capacity", env_var="TOKENSWARM_FIND_CAPACITY", action="store_true", default=False, help="Search the most users (--users at most), or with --arrivals the highest rate, that meet all --slo; the run ends with the answer")
    option("--trial-time", env_var="TOKENSWARM_TRIAL_TIME", type=timespan, default="60s", help="Longest time of one trial of --find-capacity; a trial ends earlier if its verdict is sure")
    option("--probe", env_var="TOKENSWARM_PROBE", action="store_true", default=False, help="Before the load, find out slots, rates, prompt cache and context of the server (some seconds; see docs/probe.md)")
    option("--name", env_var="TOKENSWARM_NAME", default="run", help="Name of the run, part of its folder's name")
    option("--prompt-tokens", env_var="TOKENSWARM_PROMPT_TOKENS", type=tokens_amount, default="", help="Make prompts up that are so long, in tokens as the server counts them: 512, 512±64, 100..1000, lognormal 512 cv=0.5; instead of --payloads")
    option("--prompt-language", env_var="TOKENSWARM_PROMPT_LANGUAGE", default="en", choices=tuple(LANGUAGES), help="Language of what is made up")
    option("--shared-prefix-tokens", env_var="TOKENSWARM_SHARED_PREFIX_TOKENS", type=prefix_tokens, default=0, help="Put so many tokens of made-up system prompt before each prompt, the same for all, so that a prefix cache can serve them")
    option("--prefix-pool", env_var="TOKENSWARM_PREFIX_POOL", type=tokens, default=1, help="How many different shared prefixes there are")
    option("--output-tokens", env_var="TOKENSWARM_OUTPUT_TOKENS", type=tokens_amount, default="", help="Output limit of each prompt without one of its own, as a distribution; goes before --max-tokens")
    option("--max-tokens", env_var="TOKENSWARM_MAX_TOKENS", type=tokens, default=128, help="Output limit of every request, tokens (a prompt's own limit goes first); --options max_tokens=null leaves it out")
    option("--batch-size", env_var="TOKENSWARM_BATCH_SIZE", type=batch_amount, default="1", help="Texts in one embedding request: 8, or a distribution: 1..64, 16±4, lognormal 16 cv=1")
    option("--cold-keep-alive", env_var="TOKENSWARM_COLD_KEEP_ALIVE", type=timespan, default="2s", help="OllamaColdStartUser: keep_alive of its requests, which it lets expire; 0s: it unloads the model")
    option("--warm-requests", env_var="TOKENSWARM_WARM_REQUESTS", type=requests, default=1, help="OllamaColdStartUser: requests to the loaded model after each cold one")
    option("--pull", env_var="TOKENSWARM_PULL", default="", help="OllamaLifecycleUser: model to pull in each round, from its registry; it stays on the server")
    option("--push", env_var="TOKENSWARM_PUSH", default="", help="OllamaLifecycleUser: model to push in each round, to its registry")
    option("--sample-every", env_var="TOKENSWARM_SAMPLE_EVERY", type=timespan, default="2s", help="How often an Ollama is asked for the models in memory and its version (server.csv); 0s: never")
    option("--no-stream", env_var="TOKENSWARM_NO_STREAM", action="store_true", default=False, help="Ask for answers in one piece (no TTFT, no gaps)")
    option("--think", env_var="TOKENSWARM_THINK", default="", choices=("", *THINK), help="Ask the model to think or not, or how hard; not sent if left out")
    option("--options", env_var="TOKENSWARM_OPTIONS", action=Joined, default="", help='Request fields: temperature=0,num_ctx=8192 or JSON; with "CLASS: " before them, of that User class only; may be given several times')
    option("--unique-prompts", env_var="TOKENSWARM_UNIQUE_PROMPTS", action="store_true", default=False, help="Begin each prompt with a mark of its own, so that the server's prompt cache cannot serve it")
    option("--history", env_var="TOKENSWARM_HISTORY", default="own", choices=("own", "file"), help="Carry a conversation on by the model's own answers, or by those of the payload file, where it has them")
    option("--history-thinking", env_var="TOKENSWARM_HISTORY_THINKING", action="store_true", default=False, help="Keep the model's thinking in the history, too")
    option("--no-context", env_var="TOKENSWARM_NO_CONTEXT", action="store_true", default=False, help="On /api/generate send the whole history as text instead of the context that the server handed back")
    option("--tool-result", env_var="TOKENSWARM_TOOL_RESULT", default="", help='Result of every offered tool that has none in the payload file: \'{"ok":true}\' or any text')
    option("--tool-rounds", env_var="TOKENSWARM_TOOL_ROUNDS", type=rounds, default=4, help="How often a turn is asked on with the results of the tools that the model called")
    option("--seed", env_var="TOKENSWARM_SEED", type=seed, default=0, help="Seed of the choice of prompts")
    option("--expect", env_var="TOKENSWARM_EXPECT", action="append", type=expectation, default=[], include_in_web_ui=False, help="What every answer must be: contains:TEXT, not_contains:TEXT, equals:TEXT, regex:PATTERN or schema:FILE.json; may be given several times")
    option("--run-dir", env_var="TOKENSWARM_RUN_DIR", type=_own_run_dir, default="runs", include_in_web_ui=False, help="Where run folders are made")
    option("--no-report", env_var="TOKENSWARM_NO_REPORT", action="store_true", default=False, help="Write no report at the end (python -m reports FOLDER does it later)")
    option("--keep-text", env_var="TOKENSWARM_KEEP_TEXT", action="store_true", default=False, help="Keep prompts and answers in requests.csv")
    option("--api-key", env_var="TOKENSWARM_API_KEY", default="", is_secret=True, help="Key for the Authorization header; better left to OPENAI_API_KEY")
    option("--api-key-file", env_var="TOKENSWARM_API_KEY_FILE", type=secret.file, default="", include_in_web_ui=False, help="File that holds the key for the Authorization header")
    option("--header", env_var="TOKENSWARM_HEADER", action="append", default=[], include_in_web_ui=False, help='Further header, "Name: value"; may be given several times')
    option("--request-timeout", env_var="TOKENSWARM_REQUEST_TIMEOUT", type=seconds, default=300.0, help="Longest time from sending a request to the end of its answer, s")
    option("--first-byte-timeout", env_var="TOKENSWARM_FIRST_BYTE_TIMEOUT", type=seconds, default=300.0, help="Longest time from sending a request to the first byte of its answer, s; what only keeps the connection alive is none")
    option("--connect-timeout", env_var="TOKENSWARM_CONNECT_TIMEOUT", type=seconds, default=10.0, help="Longest time to open a connection, s")
    option("--max-answer-bytes", env_var="TOKENSWARM_MAX_ANSWER_BYTES", type=answer_bytes, default=64_000_000, help="Longest answer, bytes (also 500kB, 64MB, 1GB): what is longer is cut off there, protocol_error")
    option("--pause-after-error", env_var="TOKENSWARM_PAUSE_AFTER_ERROR", type=pause, default=1.0, help="How long a user waits after a failed request, s: a server that is down is not hammered")
    option("--new-connection", env_var="TOKENSWARM_NEW_CONNECTION", action="store_true", default=False, help="Open a new connection for every request")
    option("--path", env_var="TOKENSWARM_PATH", default="", include_in_web_ui=False, help="Where the server takes the requests of the one User class that runs, if it is at no usual path: /serving-endpoints/NAME/invocations")
    option("--wait-ready", env_var="TOKENSWARM_WAIT_READY", type=timespan, default="0s", help="Wait so long for a server that is not ready yet: not there, loading a model (503), busy (429)")
    option("--insecure", env_var="TOKENSWARM_INSECURE", action="store_true", default=False, include_in_web_ui=False, help="Accept any TLS certificate")
    option("--ca-cert", env_var="TOKENSWARM_CA_CERT", default="", include_in_web_ui=False, help="PEM file of the certificate authority to trust")
    option("--web-user", env_var="TOKENSWARM_WEB_USER", default="tokenswarm", include_in_web_ui=False, help="User name of the web UI's login")
    option("--web-password-file", env_var="TOKENSWARM_WEB_PASSWORD_FILE", type=secret.file, default="", include_in_web_ui=False, help="File that holds the password of the web UI's login (or TOKENSWARM_WEB_PASSWORD holds it); without any there is no login")
    option("--open-ui", env_var="TOKENSWARM_OPEN_UI", action="store_true", default=False, include_in_web_ui=False, help="Let the web UI be reached from other machines without a login")
    option("--allowed-hosts", env_var="TOKENSWARM_ALLOWED_HOSTS", type=allowed_hosts, default="", include_in_web_ui=False, help="Names by which browsers reach the web UI, beside localhost, this machine's own and any IP address: gpu-box.example.com, *.example.com")
    option("--worker-token-file", env_var="TOKENSWARM_WORKER_TOKEN_FILE", type=secret.file, default="", include_in_web_ui=False, help="File that holds the token by which master and workers know each other (or TOKENSWARM_WORKER_TOKEN holds it)")
    option("--metrics-port", env_var="TOKENSWARM_METRICS_PORT", type=listening, default="", include_in_web_ui=False, help="Show the run's figures to Prometheus on this port, at /metrics: 9464 (loopback only), 0.0.0.0:9464; the web UI has them at /metrics anyway")
    option("--run-id", default="", include_in_web_ui=False, help="Set by the master, so that all workers know the run they are in")
    option("--layout", default="", include_in_web_ui=False, help="Set by the master, so that all workers know the server's paths")
    option("--scale", default="", include_in_web_ui=False, help="Set by the master, so that all workers know how the server counts made-up text")
