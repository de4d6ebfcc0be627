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
    Feedback,
    Figure,
    Outcome,
    Promotion,
    Source,
    Status,
    ToolCall,
    in_place_of_words,
    new_id,
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
    "Source",
    "Standing",
    "Status",
    "Tally",
    "ToolCall",
    "in_place_of_words",
    "new_id",
    "text_tokens",
    "usd",
]
