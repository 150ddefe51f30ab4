"""Traces: read as they are, whatever program wrote them."""

import csv
import gzip
import itertools
import json
from pathlib import Path

import pytest
from shared_data import beside
from traced import Asked, sharing
from traced import read as read_again

from tokenswarm.load.trace import TraceError, arrivals, remarks
from tokenswarm.payloads.made_up import Making, with_text
from tokenswarm.payloads.recipe import Scale
from tokenswarm.run.open_loop import window
from tokenswarm.settings.errors import UsageError
from tokenswarm.simulator.engine.prefixes import Prefixes
from tokenswarm.simulator.model.tokens import count_tokens

AZURE = (
    "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,374,44\n2023-11-16 18:17:04.4799600,40,9\n"
)

MOONCAKE = "\n".join(
    f'{{"timestamp": {ms}, "input_length": {tokens}, "output_length": 5, "hash_ids": {ids}}}'
    for ms, tokens, ids in ((0, 600, [1, 2]), (0, 700, [1, 3]), (3000, 1030, [1, 2, 4]))
)

PLAIN = "at_s,prompt_tokens,output_tokens\n0.5,100,10\n1.25,200,20\n"

BURST = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,GPT-4,472,18,490,Conversation log\n"

OURS = "scheduled_unix_ns,sent_unix_ns,prompt_tokens,output_tokens\n,3000000000,30,3\n,1000000000,10,1\n,2000000000,,\n"


def read(tmp_path: Path, name: str, text: str, **how: float) -> list[tuple[float, int, int | None]]:
    path = tmp_path / name
    path.write_text(text)
    found = arrivals(str(path), **how)  # type: ignore[arg-type]
    return [(round(at_s, 6), round(p.recipe.tokens.first), p.max_tokens) for at_s, p in found if p.recipe]


def test_every_format_is_read_as_it_is(tmp_path: Path) -> None:
    assert read(tmp_path, "azure.csv", AZURE) == [(0, 374, 44), (0.5, 40, 9)]
    assert read(tmp_path, "plain.csv", PLAIN) == [(0, 100, 10), (0.75, 200, 20)]
    assert read(tmp_path, "plain.csv", PLAIN, scale=0.5) == [(0, 50, 5), (0.75, 100, 10)]
    assert read(tmp_path, "burst.csv", BURST) == [(0, 472, 18)]
    # In order of sending, and without the request that was never answered.
    assert read(tmp_path, "requests.csv", OURS) == [(0, 10, 1), (2, 30, 3)]


def test_files_are_read_as_other_programs_write_them(tmp_path: Path) -> None:
    expected = [(0, 100, 10), (0.75, 200, 20)]
    assert read(tmp_path, "PLAIN.CSV", "\ufeff" + PLAIN.replace("\n", "\r\n")) == expected
    assert read(tmp_path, "spaces.csv", PLAIN.replace(",", ", ")) == expected
    assert read(tmp_path, "zero.csv", "at_s,prompt_tokens,output_tokens\n0,0,0\n2,1.0,1.0\n") == [(0, 1, 1), (2, 1, 1)]
    zones = ("18:00:00+00:00", "18:00:01Z", "20:00:02+02:00", "12:30:03 -0530", "18:00:04.0000000 UTC", "18:00:05")
    azure = "".join(f"2023-11-16 {zone},9,9\n" for zone in zones)
    times = read(tmp_path, "zones.csv", f"TIMESTAMP,ContextTokens,GeneratedTokens\n{azure}")
    assert [at_s for at_s, *_ in times] == [0, 1, 2, 3, 4, 5]
    iso = "timestamp,ContextTokens,GeneratedTokens\n2023-11-16T18:00:00Z,9,9\n2023-11-16T18:00:01Z,9,9\n"
    assert [at_s for at_s, *_ in read(tmp_path, "iso.csv", iso)] == [0, 1]


def test_a_requests_csv_is_known_by_its_columns_and_may_hold_long_texts(tmp_path: Path) -> None:
    assert read(tmp_path, "yesterday.csv", OURS) == [(0, 10, 1), (2, 30, 3)]
    before = csv.field_size_limit(131_072)
    kept = "sent_unix_ns,prompt_tokens,output_tokens,prompt_text\n5,9,9," + "long " * 50_000 + "\n"
    try:
        assert read(tmp_path, "kept.csv", kept) == [(0, 9, 9)]
    finally:
        csv.field_size_limit(before)


def test_a_tick_is_spread_and_its_order_kept(tmp_path: Path) -> None:
    times = [at_s for at_s, *_ in read(tmp_path, "m.jsonl", MOONCAKE)]
    assert times[0] == 0 < times[1] < 3
    assert times == sorted(times)
    assert times != [at_s for at_s, *_ in read(tmp_path, "m.jsonl", MOONCAKE, seed=1)]


def test_a_tick_never_overtakes_the_next(tmp_path: Path) -> None:
    """Mooncake's own ticks are not all 3 s apart: 3000, 5999, 9000."""
    row = '{{"timestamp": {}, "input_length": 600, "output_length": 5, "hash_ids": [1, {}]}}'
    path = tmp_path / "m.jsonl"
    ticks = [ms for ms in (0, 10, 3000, 5999) for _ in range(300)]
    path.write_text("\n".join(row.format(ms, number) for number, ms in enumerate(ticks)))
    for seed in range(5):
        found = list(arrivals(str(path), seed=seed))
        assert [at.prompt.recipe.blocks[1] for at in found if at.prompt.recipe] == list(range(1200))
        assert found[299].at_s <= 0.01


def test_times_are_exact_to_the_ns(tmp_path: Path) -> None:
    stamps = ("2023-11-16 18:17:03.9799600", "2023-11-16 18:17:03.9799601", "2023-11-16 18:17:04.000000001")
    azure = tmp_path / "a.csv"
    azure.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n" + "".join(f"{stamp},1,1\n" for stamp in stamps))
    assert [at_s for at_s, _ in arrivals(str(azure))] == [0, 1e-7, 0.020040001]
    ours = tmp_path / "requests.csv"
    times = (1763929000123456789, 1763929000123456790, 1763929001123456791)
    ours.write_text("scheduled_unix_ns,prompt_tokens,output_tokens\n" + "".join(f"{ns},9,9\n" for ns in times))
    assert [at_s for at_s, _ in arrivals(str(ours))] == [0, 1e-9, 1.000000002]


@pytest.mark.parametrize("scale", [1.0, 0.1, 0.03, 0.01])
def test_a_scaled_prompt_is_as_long_as_asked_and_shares_as_much(tmp_path: Path, scale: float) -> None:
    path = tmp_path / "m.jsonl"
    shared = list(range(150))
    rows = [{"timestamp": 0, "input_length": 77000, "output_length": 5, "hash_ids": [*shared, n]} for n in (998, 999)]
    path.write_text("\n".join(map(json.dumps, rows)))
    making = Making(scale=Scale(10, 1.3))
    texts = [
        with_text(prompt, making, 0, 0, number).messages[-1].content
        for number, (_, prompt) in enumerate(arrivals(str(path), scale=scale))
    ]
    words = [text.replace(".", "").split() for text in texts]
    for one in words:
        assert 10 + 1.3 * len(one) == pytest.approx(77000 * scale, abs=1.3)
    same = len(list(itertools.takewhile(lambda pair: pair[0] == pair[1], zip(*words, strict=True))))
    assert 1.3 * same == pytest.approx(150 * 512 * scale, abs=11 + 1.3)  # the template is within the last block


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "time,tokens\n1,2\n", "a.csv:2: no time: none of at_s"),
        ("a.csv", "at_s,prompt_tokens\n1,2\n", "a.csv:2: no output_tokens;"),
        ("a.csv", "at_s,prompt_tokens,output_tokens\nx,2,3\n", "a.csv:2: at_s is x; make it a number"),
        ("a.csv", AZURE + "yesterday,3,4\n", "a.csv:4: TIMESTAMP is yesterday, no time such as"),
        ("a.csv", PLAIN + "0.1,1,1\n", "a.csv: row 3 comes 1.15 s before"),
        ("a.jsonl", "{]\n", "a.jsonl:1: no JSON at {▸]◂ (Expecting"),
        ("a.csv", "at_s,prompt_tokens,output_tokens\n", "a.csv: no requests in it"),
        ("none.csv", None, "none.csv: cannot be read"),
        (
            "a.csv",
            "at_s,prompt_tokens,output_tokens\n0,5,100,20\n",
            "a.csv:2: more cells than the first line has names",
        ),
        ("a.csv", 'at_s,prompt_tokens,output_tokens\n"0,5",100,20\n', "at_s is 0,5; make it a number, not below 0"),
        ("a.csv", "at_s,prompt_tokens,output_tokens\n0,999999999,1\n", "prompt_tokens is 999999999; make it a number"),
        ("a.csv", "at_s,prompt_tokens,output_tokens\n0,1e999,1\n", "prompt_tokens is 1e999; make it a number"),
        ("a.csv", "at_s,prompt_tokens,output_tokens\n0,9,-5\n", "output_tokens is -5; make it a number"),
        ("a.csv", "TIMESTAMP,ContextTokens\n2023-11-16 18:17:03,5\n", "a.csv:2: no length: none of max_tokens, "),
        ("a.csv", "TIMESTAMP,ContextTokens\n2023-11-16 06:17:03 PM,5\n", "a.csv:2: "),
        ("a.jsonl", '{"timestamp": 0}\n', "a.jsonl:1: no length: none of input_length, "),
        ("a.csv.gz", "\x1f\x8b", "a.csv.gz: no whole gzip file: Compressed file ended"),
        ("a.csv", "at_s,prompt_tokens,output_tokens\n\xe9,2,3\n", "a.csv: is no UTF-8 text; unpack it"),
    ],
)
def test_what_is_no_trace_gets_one_line(tmp_path: Path, name: str, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text, encoding="latin-1")
    with pytest.raises(TraceError) as caught:
        list(arrivals(str(tmp_path / name)))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def lines(*times: float, **more: object) -> str:
    row = {"input_length": 100, "output_length": 4, **more}
    return "".join(json.dumps({"timestamp": at, **row}) + "\n" for at in times)


def at(tmp_path: Path, text: str, **how: str) -> list[float]:
    return [at_s for at_s, *_ in read(tmp_path, "t.jsonl", text, **how)]  # type: ignore[arg-type]


@pytest.mark.parametrize("more", [{}, {"hash_ids": [1, 2, 3, 4, 5, 6, 7]}])
def test_exact_times_stay_exact_in_the_unit_that_is_given(tmp_path: Path, more: dict[str, object]) -> None:
    for unit, size in (("s", 1), ("ms", 1e3), ("us", 1e6), ("ns", 1e9)):
        times = [at_s * size for at_s in (0, 1.25, 1.25, 2.5)]
        assert at(tmp_path, lines(*times, **more), unit=unit) == [0, 1.25, 1.25, 2.5]


@pytest.mark.parametrize("times", [(0.0, 1.25, 2.5), (0, 1, 2, 3), (0, 1000.5, 2000)])
def test_times_that_could_be_in_one_unit_or_another_are_refused(tmp_path: Path, times: tuple[float, ...]) -> None:
    with pytest.raises(TraceError, match=r"t\.jsonl: timestamp could be in ms or in s \(.*\); give --trace-time-unit"):
        at(tmp_path, lines(*times))


def test_what_a_files_kind_says_of_its_times_is_believed_and_told(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    for text, said, remark in (
        (lines(0, 500, 1000), [0, 0.5, 1], ("taken for milliseconds, as Mooncake's are: 3 requests in 1 s",)),
        (lines(0, 61.5, 62, chat_id=7), [0, 61.5, 62], ()),  # Bailian's
        (lines(1_700_000_000, 1_700_000_001.5), [0, 1.5], ()),
        (lines(1_700_000_000_000, 1_700_000_001_500), [0, 1.5], ()),
        (lines(0, 3000), [0, 3], ("taken for milliseconds",)),
        (lines(5, 5), [0, 0], ()),
    ):
        assert at(tmp_path, text) == said
        assert [wanted in told for wanted, told in zip(remark, remarks(str(path)), strict=True)] == [True] * len(remark)
    assert at(tmp_path, lines(0, 500, 1000), unit="s") == [0, 500, 1000]
    assert remarks(str(path), "s") == ()


def test_only_what_lies_on_ticks_is_spread_and_that_is_told(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    found = at(tmp_path, lines(0, 0, 3000, 3000, 6000))
    assert found[0] == 0 < found[1] < found[2] < found[3] < found[4]
    assert any("ticks of 3 s" in told for told in remarks(str(path)))
    assert at(tmp_path, lines(0, 0, 1000, 1000, 6000)) == [0, 0, 1, 1, 6]
    assert not any("ticks of 3 s" in told for told in remarks(str(path)))


def test_a_row_may_have_a_text_of_its_own(tmp_path: Path) -> None:
    asked = [{"role": "user", "content": "How?"}, {"role": "assistant", "content": "So."}]
    rows = (
        {"timestamp": 0, "text_input": "hello there", "output_length": 4, "session_id": 3},
        {"timestamp": 500, "messages": asked, "input_length": 9, "max_tokens": 7},
        {"timestamp": 900, "prompt": "Why?", "system": "S"},
        {"timestamp": 990, "input_length": 100, "output_length": 5},
    )
    path = tmp_path / "own.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = list(arrivals(str(path)))
    assert [one.prompt.text for one in found[:3]] == ["hello there", "How?", "Why?"]
    assert [one.prompt.max_tokens for one in found] == [4, 7, None, 5]
    assert [one.prompt.recipe is None for one in found] == [True, True, True, False]
    assert found[2].prompt.system == "S"
    table = tmp_path / "own.csv"
    table.write_text('at_s;prompt;output_tokens\n0;"Hi; you";4\n0.5;Ho;8\n')
    assert [(one.at_s, one.prompt.text, one.prompt.max_tokens) for one in arrivals(str(table))] == [
        (0, "Hi; you", 4),
        (0.5, "Ho", 8),
    ]


def test_a_trace_may_be_packed(tmp_path: Path) -> None:
    path = tmp_path / "plain.csv.gz"
    path.write_bytes(gzip.compress(PLAIN.encode()))
    assert [(one.at_s, one.prompt.id) for one in arrivals(str(path))] == [(0, "plain:2"), (0.75, "plain:3")]


def test_windows() -> None:
    assert window("10m..20m") == (600, 1200)
    assert window("..5s")[1] == 5
    for wrong in ("5m", "20m..10m", "a..b"):
        with pytest.raises(UsageError, match="▸"):
            window(wrong)


@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_mooncakes_prompts_share_what_its_ids_say(scale: float) -> None:
    """13.5 % of the blocks of the 400 rows were seen before; the texts in the simulator's own cache, without a run."""
    path = beside("data/traces/mooncake_conversation_first400.jsonl")
    known = sharing(read_again(path))
    assert (known.blocks, known.tokens) == (pytest.approx(0.13464, abs=1e-5), pytest.approx(0.13687, abs=1e-5))
    making, cache, cached, total = Making(scale=Scale(12, 81 / 64)), Prefixes(20_000_000), 0, 0
    for number, (_, prompt) in enumerate(arrivals(str(path), scale=scale)):
        text = with_text(prompt, making, 0, 0, number).messages[-1].content
        tokens = count_tokens(text) + 12
        cached, total = cached + cache.cached_tokens(text, tokens), total + tokens
        cache.remember(text)
    assert cached / total == pytest.approx(known.tokens, abs=0.002)


def test_what_an_endless_cache_finds_is_what_stood_at_a_beginning() -> None:
    rows = [Asked(0, 1100, 1, (1, 2, 3)), Asked(0, 1100, 1, (1, 2, 4)), Asked(0, 500, 1, (2,)), Asked(0, 500, 1, (1,))]
    found = sharing(rows)
    assert found.blocks == 3 / 8  # 1 and 2 of the second, 1 of the fourth; 2 stood at no beginning
    assert found.tokens == (1024 + 500) / 3200
