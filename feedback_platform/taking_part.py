"""Who takes part: the one definition of whose doings are measured, and who is experimented with.

Whoever switched off personalisation or research, by their latest word on it, takes no part. The
tables say so of the present, whatever time a query is about: who switches something off today is in
no measurement of their past either. Who was erased is in no table, and so in none of this.

dbt has the same in its macro `users_not_measured`; a test holds all of them side by side. Whose
feedback counts, and whom models learn from, is another question: see warehouse/preferences.py.
"""

from __future__ import annotations

from typing import Final

_TAKING_NO_PART: Final = (
    "select user_id from interaction.user_preferences where not (personalisation and research)"
)
# In SQL, of a row with user_id; what nobody did is nobody's part.
TAKES_PART: Final = f"""
    user_id is not null
    and user_id not in ({_TAKING_NO_PART})
"""
# In SQL, after `from` a relation with user_id: without the rows of those who take no part. What
# nobody did stays: it is for the query to say that there is a user.
THOSE_TAKING_PART: Final = f"""
    anti join ({_TAKING_NO_PART}) as taking_no_part using (user_id)
"""


def takes_part(*, is_personalised: bool, allows_research: bool) -> bool:
    """Return whether somebody takes part who left personalisation and research on or off."""
    return is_personalised and allows_research
