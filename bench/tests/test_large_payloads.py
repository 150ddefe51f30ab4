"""The files that `python -m bench.large_payloads` asks: they are what they are said to be."""

from pathlib import Path

from bench.large_payloads import USELESS, share_gpt, wide_csv
from tokenswarm.payloads.corpus import read_corpus


def test_the_files_are_read_as_what_they_are(tmp_path: Path) -> None:
    share_gpt(tmp_path / "sharegpt.json", 2)
    wide_csv(tmp_path / "wide.csv", 1000)
    talks, rows = read_corpus(tmp_path / "sharegpt.json"), read_corpus(tmp_path / "wide.csv")
    assert (tmp_path / "sharegpt.json").stat().st_size > 2e6
    assert {len(talks[at].then) for at in range(len(talks))} == {2}
    assert len({talks[at].id for at in range(len(talks))}) == len(talks)
    assert len(rows) == 1000
    assert (tmp_path / "wide.csv").read_text().partition("\n")[0].split(",")[1:] == list(USELESS)
