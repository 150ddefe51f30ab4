"""What an answer will be: lengths, texts, lines and counts, all without a server."""

import json
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenswarm.simulator.api import gojson, listing
from tokenswarm.simulator.model import models, tokens
from tokenswarm.simulator.model.faults import FAULTS
from tokenswarm.simulator.model.plan import Plan, Style, make_plan
from tokenswarm.simulator.settings import NS_PER_S, from_args, go_duration_ns
from tokenswarm.simulator.truth import Lateness


@pytest.mark.parametrize(
    ("text", "count"), [("", 0), ("Hi", 1), ("four", 1), ("fives", 2), ("你好", 2), ("你好 all", 3)]
)
def test_prompt_tokens(text: str, count: int) -> None:
    assert tokens.count_tokens(text) == count


def test_lengths_are_deterministic_and_have_the_mean_that_was_asked_for() -> None:
    keys = [tokens.request_key(7, "sim:latest", f"prompt {number}") for number in range(3000)]
    lengths = [tokens.natural_length_tokens(key, 120, 0.5) for key in keys]
    assert lengths == [tokens.natural_length_tokens(key, 120, 0.5) for key in keys]
    assert statistics.fmean(lengths) == pytest.approx(120, rel=0.05)
    assert statistics.stdev(lengths) == pytest.approx(60, rel=0.1)
    assert tokens.request_key(7, "a", "x") != tokens.request_key(8, "a", "x") != tokens.request_key(8, "b", "x")


def test_a_length_without_spread_is_the_mean() -> None:
    assert tokens.natural_length_tokens(1, 50, 0) == 50


plans = st.builds(
    make_plan,
    st.integers(0, 2**64 - 1),
    st.integers(2, 300),
    st.none() | st.integers(1, 300),
    merge=st.sampled_from([0.0, 0.03, 0.5]),
    cjk=st.booleans(),
    thinks=st.booleans(),
    style=st.builds(Style, st.booleans(), st.booleans()),
    fault=st.sampled_from(sorted(FAULTS.values(), key=repr)),
)


@given(plans)
def test_never_more_lines_than_tokens_and_every_token_told_once(plan: Plan) -> None:
    assert len(plan.lines) <= plan.output_tokens
    at = [line.at_token for line in plan.lines]
    assert at == sorted(set(at))
    assert all(line.tokens >= 1 for line in plan.lines)
    assert sum(line.tokens for line in plan.lines) == (at[-1] if at else 0) <= plan.output_tokens


def test_stopped_by_itself_the_last_token_has_no_text() -> None:
    plan = make_plan(1, 10, None)
    assert (plan.output_tokens, plan.reason, len(plan.lines)) == (10, "stop", 9)
    assert (make_plan(1, 10, 10).reason, make_plan(1, 10, 10).output_tokens) == ("stop", 10)


def test_cut_every_token_has_text() -> None:
    plan = make_plan(1, 10, 4)
    assert (plan.output_tokens, plan.reason, len(plan.lines)) == (4, "length", 4)
    assert make_plan(1, 10, None).join("text").startswith(plan.join("text"))


def test_thinking_comes_first_and_its_tags_are_silent_or_empty() -> None:
    plain = make_plan(1, 60, None, thinks=True)
    kinds = [line.kind for line in plain.lines]
    assert kinds == ["thinking"] * kinds.count("thinking") + ["text"] * kinds.count("text")
    assert plain.lines[0].at_token == 5  # four tokens of a tag before it
    empties = make_plan(1, 60, None, thinks=True, style=Style(tags_as_empty=True))
    assert [line.kind for line in empties.lines[:4]] == ["empty"] * 3 + ["thinking"]
    assert [line.kind for line in empties.lines].count("empty") == 5
    thrown = make_plan(1, 60, None, thinks=True, style=Style(tags_as_empty=True, thinking_as_empty=True))
    assert thrown.join("thinking") == ""
    assert thrown.join("text") == plain.join("text")


def test_cut_inside_the_opening_tag_there_is_no_line() -> None:
    assert make_plan(1, 60, 3, thinks=True).lines == ()


def test_faults_of_the_text() -> None:
    def of(name: str, limit: int | None = 40) -> Plan:
        return make_plan(3, 50, limit, fault=FAULTS[name])

    assert [line.tokens for line in of("fault-many-tokens-a-chunk", 12).lines] == [5, 5, 2]
    assert of("fault-ignores-limit", 5).output_tokens == 50
    assert of("fault-empty").lines == ()
    assert of("fault-empty").output_tokens == 40
    said = of("fault-think-tags", None)
    assert said.join("text").startswith("<think>\n")
    assert "</think>" in said.join("text")
    assert not any("<think>" in line.text or "</think>" in line.text for line in said.lines)


def test_text_is_chinese_when_it_is_asked_for() -> None:
    assert tokens.has_cjk(make_plan(1, 30, None, cjk=True).join("text"))
    assert make_plan(1, 30, None).join("text").isascii()


@pytest.mark.parametrize(
    ("text", "seconds"), [("5m", 300), ("1h30m", 5400), ("-1m", -60), ("0", 0), ("0s", 0), (".5s", 0.5), ("100ms", 0.1)]
)
def test_go_durations(text: str, seconds: float) -> None:
    assert go_duration_ns(text) == seconds * NS_PER_S


@pytest.mark.parametrize(("text", "error"), [("soon", "invalid"), ("10", "missing unit in"), ("", "invalid")])
def test_bad_go_durations(text: str, error: str) -> None:
    with pytest.raises(ValueError, match=f'^time: {error} duration "{text}"$'):
        go_duration_ns(text)


@given(st.text())
def test_go_quotes_are_json(text: str) -> None:
    quoted = gojson.quote(text)
    assert json.loads(quoted) == text
    assert not set("<>&\u2028\u2029") & set(quoted)


@pytest.mark.parametrize(
    ("wall_ns", "text"),
    [
        (1_795_424_040 * NS_PER_S + 26_923_958_900, "2026-11-23T08:54:26.9239589Z"),
        (1_795_424_040 * NS_PER_S, "2026-11-23T08:54:00Z"),
    ],
)
def test_times_as_go_prints_them(wall_ns: int, text: str) -> None:
    assert models.rfc3339(wall_ns) == text


def test_lateness_is_a_bounded_histogram() -> None:
    late = Lateness()
    assert late.summary()["p99_ms"] is None
    for late_us in range(1000):
        late.add(late_us * 1000)
    assert late.summary() == {"count": 1000, "p50_ms": 0.49, "p99_ms": 0.98, "max_ms": 0.999}


@pytest.mark.parametrize(
    "wrong",
    [
        ["--port", "70000"],
        ["--decode-tps", "0"],
        ["--decode-tps", "fast"],
        ["--merge", "2"],
        ["--keep-alive", "soon"],
        ["--models", "fault-x"],
        ["--models", ","],
        ["--models", "a=big"],
        ["--tls-cert", "only-one.pem"],
        ["--nonsense"],
        ["--parallel", "nan"],
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        from_args(wrong)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("simulator: ")
    assert said.count("\n") == 1


def test_every_fault_is_listed() -> None:
    listed = {model["name"] for model in listing.tags(models.catalogue({"sim:latest": None}).values())["models"]}
    assert listed == {"sim:latest", *(f"{name}:latest" for name in FAULTS)}


def test_the_words_of_a_name_say_what_the_model_can_do() -> None:
    able = {
        name: models.make_model(name)
        for name in ("sim", "sim-think", "sim-tools-native", "sim-think-qwen3", "my-embed")
    }
    assert [model.capabilities for model in able.values()] == [
        ("completion",),
        ("completion", "thinking"),
        ("completion", "tools"),
        ("completion", "thinking"),
        ("embedding",),
    ]
    assert [model.path for model in able.values()] == ["G", "G", "N", "B", "G"]


def test_a_size_follows_a_models_name() -> None:
    assert dict(from_args(["--models", "a=4gb,b:1=2.5GiB,c"]).models) == {
        "a:latest": 4_000_000_000,
        "b:1": 2_684_354_560,
        "c:latest": None,
    }
