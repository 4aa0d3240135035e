from __future__ import annotations

from pathlib import Path

import pytest

from feedback_platform.lake.store import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake((tmp_path / "lake").as_uri())


@pytest.fixture
def movielens_files(tmp_path: Path) -> Path:
    """Two users, three films."""
    path = tmp_path / "movielens"
    path.mkdir()
    (path / "ratings.csv").write_text(
        "userId,movieId,rating,timestamp\n1,31,2.5,1260759144\n2,31,5.0,835355493\n"
    )
    (path / "tags.csv").write_text(
        "userId,movieId,tag,timestamp\n"
        '2,31,"dark, slow",1445714994\n'
        "2,31,classic,1445714994\n"
        "2,31,classic,1445714995\n"
    )
    (path / "movies.csv").write_text(
        "movieId,title,genres\n"
        "31,Dangerous Minds (1995),Drama\n"
        '32,"Série, La (2006\u20132007) ",Action|Sci-Fi\n'
        '33,"Black Mirror: the ""special""",(no genres listed)\n'
    )
    return path
