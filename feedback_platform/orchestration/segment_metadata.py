"""What Dagster's UI shows of a segmentation: a picture, a table, and each segment from near."""

import base64
import re
from collections.abc import Mapping
from typing import Any

import dagster as dg

from feedback_platform.learning.learned_tables import RegisteredSegments
from feedback_platform.learning.segment_plot import profile_plot
from feedback_platform.learning.segment_profiles import typical_users
from feedback_platform.learning.segments import Segmentation

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$&])")


def segment_metadata(learned: RegisteredSegments) -> dict[str, Any]:
    """Return the metadata of the asset; where a figure has no value it is left out."""
    profiles = learned.profiles.to_dicts()
    figures = {name: value for name, value in learned.trained.metrics.items() if value is not None}
    return {
        "version": learned.version.version,
        "profiles": dg.MetadataValue.table([_record(row) for row in profiles]),
        "plot": dg.MetadataValue.md(_picture(profile_plot(learned.trained.segmentation))),
        "segments from near": dg.MetadataValue.md(
            _from_near(profiles, learned.trained.segmentation)
        ),
        **figures,
    }


def _record(row: Mapping[str, Any]) -> dg.TableRecord:
    return dg.TableRecord(
        {
            "segment": row["segment_id"],
            "name": row["name"],
            "users": row["users"],
            "likes most": ", ".join(entry["category"] for entry in row["top_preferences"][:3]),
            "stability": _figure(row["stability"]),
        }
    )


def _picture(svg: str) -> str:
    encoded = base64.b64encode(svg.encode()).decode()
    return f"![Share of each category in each segment](data:image/svg+xml;base64,{encoded})"


def _from_near(profiles: list[dict[str, Any]], segmentation: Segmentation) -> str:
    """Return a section for each segment: size, preferences with lifts, stability, typical users."""
    total = len(segmentation.labels)
    sections = []
    for row, profile in enumerate(profiles):
        users = ", ".join(_plain(user) for user in typical_users(segmentation, row))
        is_old = profile["segment_id"] in segmentation.continues
        sections.append(
            f"### {profile['segment_id']} · {_plain(profile['name'])}\n\n"
            f"{profile['users']:,} users, {profile['users'] / total:.0%} of all · "
            f"stability {_figure(profile['stability'])} · "
            f"{'continues the segment of this number' if is_old else 'new'}\n\n"
            "| likes | share | times everybody's |\n| --- | --- | --- |\n"
            + "".join(
                f"| {_plain(entry['category'])} | {entry['share']:.1%} | {entry['lift']:.2f} |\n"
                for entry in profile["top_preferences"]
            )
            + f"\nTypical: {users}\n"
        )
    return "\n".join(sections)


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"


def _plain(text: str) -> str:
    """Return text that Markdown shows as it is, in one line."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))
