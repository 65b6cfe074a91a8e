"""The states of a tone. A name has at most two versions: the *live* one, which calls play, and a *candidate*.

| candidate | upload | approve        | reject   | submit again |
|-----------|--------|----------------|----------|--------------|
| none      | review |                |          |              |
| review    | review | live, approved | rejected |              |
| rejected  | review |                |          | review       |

Approving puts the candidate in the live one's place; until then, and when it is rejected, the live one stays.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a version stands."""

    REVIEW = "review"
    APPROVED = "approved"
    REJECTED = "rejected"


LIVE, CANDIDATE = "live", "candidate"
