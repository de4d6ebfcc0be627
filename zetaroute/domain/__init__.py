"""The nouns of zetaroute as frozen values.

They live on the ground floor because every room passes them on and none owns them. Time is seconds (`_s`),
money is USD (`_usd`), tokens are counts. A value is made once; nothing is patched later.
"""

from zetaroute.domain.arms import ALL_TASKS, Arm, Prices, Standing, Tally, usd
from zetaroute.domain.decisions import Candidate, Decision, Duel, Estimate
from zetaroute.domain.outcomes import (
    UNTRIED,
    Attempt,
    CanaryEvent,
    CanaryStep,
    Completion,
    Export,
    Feedback,
    Figure,
    Outcome,
    Promotion,
    RatingLot,
    Source,
    Status,
    new_id,
    utc_now,
)
from zetaroute.domain.queries import (
    Attachment,
    Check,
    FileNote,
    Kind,
    Message,
    Query,
    QueryEmbedding,
    text_tokens,
)

__all__ = [
    "ALL_TASKS",
    "UNTRIED",
    "Arm",
    "Attachment",
    "Attempt",
    "CanaryEvent",
    "CanaryStep",
    "Candidate",
    "Check",
    "Completion",
    "Decision",
    "Duel",
    "Estimate",
    "Export",
    "Feedback",
    "Figure",
    "FileNote",
    "Kind",
    "Message",
    "Outcome",
    "Prices",
    "Promotion",
    "Query",
    "QueryEmbedding",
    "RatingLot",
    "Source",
    "Standing",
    "Status",
    "Tally",
    "new_id",
    "text_tokens",
    "usd",
    "utc_now",
]
