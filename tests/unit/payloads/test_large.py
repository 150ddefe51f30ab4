"""Large files: not kept in memory, and still the same prompts, in the same places, with the same errors."""

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest
from options import parsed

from tokenswarm.payloads import corpus
from tokenswarm.payloads.corpus import PayloadError, learnt, load, read_corpus
from tokenswarm.payloads.formats import spans
from tokenswarm.payloads.formats.detect import ASKING
from tokenswarm.payloads.large import Corpus, Places, kinds
from tokenswarm.payloads.prompt import Prompt
from tokenswarm.settings.fingerprint import prompts_digest
from tokenswarm.settings.mixing import mix


def talk(n: int) -> dict[str, object]:
    said = [{"from": "human", "value": f"{n}? " + 'wörd, "},\n{ ]' * (n % 7)}, {"from": "gpt", "value": "So."}]
    return {"id": f"c{n}", "conversations": [*said, *([said[0]] if n % 3 else [])]}


TALKS = [*map(talk, range(400)), {"id": "none", "conversations": []}, *map(talk, range(400, 500))]
SHAPES = {
    "array": json.dumps(TALKS),
    "lines in an array": "[" + ",\n".join(map(json.dumps, TALKS)) + "]\n",
    "indented": json.dumps(TALKS, indent=2, ensure_ascii=False),
    "wrapped": json.dumps({"data": TALKS, "more": 1}),
    "wrapped and indented": json.dumps({"data": TALKS}, indent=1),
    "lines": "# a comment\n\n" + "\n".join(map(json.dumps, TALKS)),
    "lines whose first field is a list": "\n".join(json.dumps({"tags": ["a"], **one}) for one in TALKS),
    "with a mark": "\ufeff" + json.dumps(TALKS),
    "other keys each time": json.dumps([{f"key{n}": n, **one} for n, one in enumerate(TALKS)]),
}


@pytest.fixture(autouse=True)
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "LARGE_BYTES", 0)


def small(path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Prompt]:
    with monkeypatch.context() as patched:
        patched.setattr(corpus, "LARGE_BYTES", 1 << 40)
        return [*read_corpus(path)]


@pytest.mark.parametrize("window", [64, 1000, 1 << 20])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_large_file_is_read_as_a_small_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: str, window: int
) -> None:
    monkeypatch.setattr(spans, "WINDOW", window if "lines" not in shape and "wrapped" not in shape else 1 << 20)
    path = tmp_path / "t.json"
    path.write_text(SHAPES[shape], encoding="utf-8")
    found = load(str(path))
    assert isinstance(found, Corpus)
    assert [one.id for one in found] == [f"c{n}" for n in range(500)]
    assert [one.then for one in found] == [one.then for one in small(path, monkeypatch)]
    assert [one.messages for one in found] == [one.messages for one in small(path, monkeypatch)]


def test_other_processes_need_not_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.json.gz"
    path.write_bytes(gzip.compress(SHAPES["array"].encode()))
    names = f"{path}=2,chat"
    first = load(names)
    told = json.loads(json.dumps(learnt(first)))
    monkeypatch.setattr(corpus.LargeFile, "scan", None)
    again = load(names, None, told)
    assert [*again] == [*first]
    assert [*again.weights] == [*first.weights]  # type: ignore[attr-defined]
    assert sum([*first.weights][:500]) == pytest.approx(2)  # type: ignore[attr-defined]
    assert prompts_digest(again, "") == prompts_digest(first, "")
    path.write_bytes(gzip.compress(SHAPES["array"].replace("So.", "No.").encode()))
    with pytest.raises(TypeError):  # another file: it is read
        load(names, None, told)


def test_places_are_the_same_when_they_come_out_again() -> None:
    places = Places()
    places.add(2**40, 7, 1, 0.5, 3.25)
    places.add(2**40 + 9, 2**31, 2, 1.0, 1e6)
    assert [*map(list, Places.unpack(places.pack()).columns)] == [*map(list, places.columns)]


def test_the_fields_that_prompts_have_are_known_of_all(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    rows: list[dict[str, object]] = [{"prompt": f"Number {n} of many"} for n in range(50)]
    rows[30]["options"] = {"temperature": 0}
    rows[40]["expect"] = {"contains": "x"}
    rows[45] = {"prompt": "Hi"}
    path.write_text("\n".join(map(json.dumps, rows)))
    found = kinds(load(str(path)))
    assert len(found) < 6
    assert {"temperature": 0} in [dict(one.options) for one in found]
    assert {"contains": "x"} in [dict(one.expect) for one in found]
    assert min(found, key=lambda one: len(one.text)).text == "Hi"


def test_a_mistake_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    for text, said in (
        (json.dumps(TALKS)[:-3], r": item 501: not JSON; mend the array"),
        (json.dumps([*TALKS, {"prompt": 3}]), ": item 502: prompt is 3; put a text in quotes"),
        (json.dumps(TALKS)[:-1] + "\n", ": item 501: the array has no end after it"),
        (json.dumps(TALKS)[:-1], ": item 501: not JSON"),
        ('{"prompt": "a"}\n{"promt": "b"}\n', ':2: unknown field "promt"'),
    ):
        path.write_text(text)
        with pytest.raises(PayloadError, match=said):
            read_corpus(path)


def test_lengths_and_choices_hold_of_large_files_too(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps({"prompt": "word " * n}) + "\n" for n in range(1, 301)))
    made = mix(parsed("--payloads", f"{path}", "--min-prompt-tokens", "50", "--max-prompt-tokens", "100"))
    whole = mix(parsed("--payloads", f"{path}"))
    assert [one.id for one in made.prompts] == [f"t:{n}" for n in range(40, 81)]
    assert made.left_out == 300 - 41
    assert made.nth(3).id == "t:43"
    assert len({whole.pick(0, n).id for n in range(3000)}) > 290


TABLE = """id,prompt,useless,max_tokens,options
a,"Who, ""you""?
And why?",x,5,"{""temperature"": 0}"

b,Höw?,"1
2",,
c,,y,7,
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [",", ";"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_a_large_table_is_read_as_a_small_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: str, mark: str, end: str
) -> None:
    path = tmp_path / "t.csv"
    text = TABLE.partition("\nc,")[0] + "\n"
    text = text.replace(",", mark).replace(f"Who{mark} ", "Who, ")
    path.write_bytes((start + text.replace("\n", end)).encode())
    found = load(str(path))
    assert isinstance(found, Corpus)
    assert [*found] == [replace(one, weight=1 / 2) for one in small(path, monkeypatch)]
    assert [(one.id, one.max_tokens) for one in found] == [("a", 5), ("b", None)]
    (told,) = learnt(found).values()
    assert [*load(str(path), None, {str(path): told})] == [*found]
    path.write_text(TABLE)
    with pytest.raises(PayloadError, match=r"t\.csv: row 4: neither prompt nor messages"):
        load(str(path))
    path.write_text('prompt\nx\n"a\n')
    with pytest.raises(PayloadError, match=r"t\.csv: row 2: not CSV: "):
        load(str(path))


def test_a_large_text_is_a_prompt_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.txt"
    path.write_text("One?\n\n# no comment\n Twö?\r\n")
    found = load(str(path))
    assert [(one.id, one.text) for one in found] == [("t:1", "One?"), ("t:3", "# no comment"), ("t:4", "Twö?")]
    assert [one.text for one in small(path, monkeypatch)] == [one.text for one in found]
    for name, said in (("t.txt", ":1: not UTF-8"), ("t.csv", ": row 1: not UTF-8")):
        (tmp_path / name).write_bytes(b"prompt\n\xe9\n" if name == "t.csv" else b"\xe9\n")
        with pytest.raises(PayloadError, match=said):
            load(str(tmp_path / name))


def test_what_is_no_array_or_lines_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text(json.dumps([{"role": "user", "content": "Hi"}]))
    assert read_corpus(path)[0].text == "Hi"
    path.write_text(json.dumps({"prompt": "Hi"}, indent=2))
    with path.open("rb") as file:
        assert spans.spans(file, ASKING) is None
    assert read_corpus(path)[0].text == "Hi"
