"""The simulated product: 96 features in eight categories, two categories for each planted group."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

ITEMS_PER_CATEGORY: Final = 12
CATEGORIES_PER_GROUP: Final = 2

# In the order of the groups: the first two categories are what the first group wants, and so on.
_TITLES: Final[dict[str, tuple[str, ...]]] = {
    "workflows": (
        "Scheduled workflows", "Approval chains", "Conditional branches", "Recurring tasks",
        "Bulk actions", "Trigger rules", "Retry policies", "Workflow versions", "Form intake",
        "Escalation timers", "Checklist runs", "Hand-over queues",
    ),
    "integrations": (
        "Webhook sender", "Calendar sync", "Spreadsheet import", "Payment connector",
        "Ticket bridge", "Mail parser", "Storage connector", "Single sign-on link", "API tokens",
        "Event stream export", "Chat connector", "Directory sync",
    ),
    "dashboards": (
        "Live dashboard", "Cohort charts", "Funnel view", "Retention grid", "Goal tracker",
        "Heat maps", "Metric alerts", "Executive overview", "Pinned figures", "Dashboard filters",
        "Wall display", "Trend lines",
    ),
    "reports": (
        "Scheduled reports", "Pivot tables", "Query editor", "Forecast sheets", "Data export",
        "Attribution report", "Revenue report", "Usage report", "Benchmark report",
        "Survey results", "Saved queries", "Report archive",
    ),
    "messaging": (
        "Team channels", "Direct messages", "Mentions", "Threaded replies", "Voice notes",
        "Video rooms", "Announcements", "Reactions", "Shared inbox", "Polls", "Guest access",
        "Read receipts",
    ),
    "documents": (
        "Shared notes", "Live co-editing", "Comment threads", "Review requests", "Team wiki",
        "Document history", "Meeting minutes", "Shared folders", "Sticky boards", "Mind maps",
        "Page permissions", "Signature requests",
    ),
    "templates": (
        "Project templates", "Starter kits", "Template gallery", "Sample data", "Guided tours",
        "Use case library", "Layout presets", "Community templates", "Onboarding checklist",
        "Quick start videos", "Industry packs", "Template remix",
    ),
    "labs": (
        "Writing assistant", "Command palette", "Theme studio", "Voice control", "Beta features",
        "Smart search", "Focus mode", "Keyboard macros", "Mobile widgets", "Idea board",
        "Image generator", "Time machine",
    ),
}  # fmt: skip
CATEGORIES: Final = tuple(_TITLES)


@dataclass(frozen=True)
class Item:
    """One feature of the product."""

    item_id: str
    title: str
    category: str


@cache
def catalogue() -> tuple[Item, ...]:
    """Return all features, category by category; an item's index in here is its number."""
    return tuple(
        Item(item_id=title.lower().replace(" ", "-"), title=title, category=category)
        for category, titles in _TITLES.items()
        for title in titles
    )


def item_count() -> int:
    """Return the number of features."""
    return len(CATEGORIES) * ITEMS_PER_CATEGORY
