"""Workers whose code or prompts are not the master's are remarked."""

from dataclasses import replace
from pathlib import Path

from tokenswarm.payloads.corpus import load
from tokenswarm.settings.fingerprint import code, prompts_digest, unlike


def test_a_worker_with_other_code_or_prompts_is_named() -> None:
    like = {"worker": 0, "client": "a_9f", "code": code(), "payloads": "p"}
    lost = {"worker": 3, "requests": 0}  # it never said
    other = {**like, "worker": 1, "client": "b_03", "code": "0" * 12}
    prompts = {**like, "worker": 2, "client": "c_77", "payloads": "q"}
    assert unlike([like, lost], "p") == []
    of_code, of_prompts = unlike([like, other, prompts, lost], "p")
    assert (of_code["rule"], of_code["level"]) == ("other code", "remark")
    assert of_code["what"].endswith("than the master: worker 1 (b_03)")
    assert (of_prompts["rule"], of_prompts["figure"]) == ("other payloads", 1)
    assert of_prompts["what"].endswith("than the master: worker 2 (c_77)")


def test_any_difference_in_the_prompts_or_the_trace_counts(tmp_path: Path) -> None:
    prompts = load("chat")
    trace = tmp_path / "trace.csv"
    trace.write_text("at_s,prompt_tokens,output_tokens\n0,1,1\n")
    seen = {prompts_digest(prompts, ""), prompts_digest(prompts[1:], ""), prompts_digest(prompts, str(trace))}
    seen.add(prompts_digest((replace(prompts[0], max_tokens=7), *prompts[1:]), ""))
    assert len(seen) == 4
    assert prompts_digest(load("chat"), "") in seen
