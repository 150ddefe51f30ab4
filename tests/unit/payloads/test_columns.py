"""Files of any shape, by `--columns`; a system prompt for all; prompts left out by their length."""

import json
from pathlib import Path

import pytest
from options import parsed

from tokenswarm.payloads.columns import columns
from tokenswarm.payloads.corpus import PayloadError, load
from tokenswarm.payloads.length import about_tokens
from tokenswarm.payloads.prompt import Message, Prompt
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.mixing import mix


def asked(path: Path, text: str) -> list[tuple[str | None, str, int | None]]:
    return [(prompt.system, prompt.text, prompt.max_tokens) for prompt in load(str(path), columns(text))]


def test_a_table_is_read_by_the_names_that_are_given(tmp_path: Path) -> None:
    path = tmp_path / "any.csv"
    path.write_text("nr,q,about,max_tokens,promt\n1,Who?,Be brief.,9,x\n2,007,,5,y\n")
    assert asked(path, "prompt=q, system=about") == [("Be brief.", "Who?", 9), (None, "007", 5)]
    assert [prompt.id for prompt in load(str(path), columns("prompt=q,id=nr"))] == ["1", "2"]
    assert asked(path, "prompt=q,context=about")[0][1] == "Be brief.\n\nWho?"


def test_objects_are_read_by_paths(tmp_path: Path) -> None:
    path = tmp_path / "any.jsonl"
    rows = [{"row": {"question": ["no", "Who?"]}, "n": 3}, {"row": {"question": ["no", "Why?"], "who": "S"}}]
    path.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(PayloadError, match=r'any\.jsonl:1: no column "row\.who"; there are only row, n'):
        asked(path, "prompt=row.question.1,system=row.who")
    path.write_text("\n".join(map(json.dumps, reversed(rows))))
    assert asked(path, "prompt=row.question.1,system=row.who") == [("S", "Why?", None), (None, "Who?", None)]


def test_mistakes_are_told(tmp_path: Path) -> None:
    path = tmp_path / "any.csv"
    path.write_text("question,text\nWho?,x\n")
    for text, said in (
        ("prompt=question,prompt=text", "▸prompt◂ stands twice; give it one column"),
        ("promt=question", "▸promt◂ is no field of a prompt; did you mean prompt"),
        ("q", "▸q◂ is no name"),
    ):
        with pytest.raises(ValueError, match=said):
            columns(text)
    with pytest.raises(PayloadError, match=r':2: no column "qestion"; did you mean question'):
        asked(path, "prompt=qestion")
    assert [prompt.id for prompt in load(f"chat,{path}", columns("prompt=question"))][-1] == "any:1"  # not the built-in


def test_a_system_prompt_stands_before_each_prompts_own(tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_text("Be kind.\n")
    (tmp_path / "p.jsonl").write_text('{"prompt": "a"}\n{"prompt": "b", "system": "S"}\n')
    for text in ("Be kind.", f"@{tmp_path}/s.txt"):
        made = mix(parsed("--payloads", f"{tmp_path}/p.jsonl", "--system-prompt", text))
        assert [made.ask_nth(n).messages[0] for n in (0, 1)] == [
            Message("system", "Be kind."),
            Message("system", "Be kind.\n\nS"),
        ]
    with pytest.raises(UsageError, match=r"--system-prompt @gone\.txt: cannot be read: No such file"):
        mix(parsed("--system-prompt", "@gone.txt"))


def test_prompts_are_left_out_by_their_length_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text("".join(json.dumps({"prompt": "word " * n}) + "\n" for n in (4, 80, 800)))
    made = mix(parsed("--payloads", str(path), "--min-prompt-tokens", "50", "--max-prompt-tokens", "500"))
    assert [prompt.id for prompt in made.prompts] == ["p:2"]
    assert made.left_out == 2
    with pytest.raises(UsageError, match=r"--min-prompt-tokens 5000 .* leave no prompt: they have about 5 to 1000"):
        mix(parsed("--payloads", str(path), "--min-prompt-tokens", "5000"))
    with pytest.raises(UsageError, match="--prompt-tokens says how long prompts are"):
        mix(parsed("--prompt-tokens", "64", "--max-prompt-tokens", "50"))


@pytest.mark.parametrize(("text", "least", "most"), [("word " * 100, 90, 140), ("机器学习是什么" * 100, 400, 900)])
def test_a_length_is_about_what_servers_count(text: str, least: float, most: float) -> None:
    assert least < about_tokens(Prompt("a", (Message("user", text),))) < most
