"""The nouns of zetaroute as frozen values.

Time is seconds (`_s`), money is USD (`_usd`), tokens are counts. A value is made once; nothing is patched later.
"""

from zetaroute.domain.contest import Audit, AuditTerms, ContestEvent, ContestStep, Pairing, Side, UtilityRange
from zetaroute.domain.decision import CanaryArms, Candidate, Decision, Estimate, Objective
from zetaroute.domain.feedback import Feedback, FeedbackSource
from zetaroute.domain.figure import Figure
from zetaroute.domain.ids import new_id, utc_now
from zetaroute.domain.models import (
    ALL_TASKS,
    DEMOTED,
    Arm,
    Prices,
    PriceTier,
    Standing,
    Tally,
    query_kind_key,
    segment_of,
    usd,
)
from zetaroute.domain.outcome import (
    CONFIG_ERRORS,
    OUTAGE_ERRORS,
    Attempt,
    Completion,
    Export,
    Outcome,
    Status,
    ToolCall,
    is_cut,
    is_same_model,
    tool_calls_as_text,
)
from zetaroute.domain.promotion import CanaryEvent, CanaryStep, Promotion
from zetaroute.domain.query import (
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
    "CONFIG_ERRORS",
    "DEMOTED",
    "OUTAGE_ERRORS",
    "Arm",
    "Attachment",
    "Attempt",
    "Audit",
    "AuditTerms",
    "CanaryArms",
    "CanaryEvent",
    "CanaryStep",
    "Candidate",
    "Check",
    "Completion",
    "ContestEvent",
    "ContestStep",
    "Decision",
    "Estimate",
    "Export",
    "Feedback",
    "FeedbackSource",
    "Figure",
    "FileNote",
    "Kind",
    "Message",
    "Objective",
    "Outcome",
    "Pairing",
    "PriceTier",
    "Prices",
    "Promotion",
    "Query",
    "QueryEmbedding",
    "Side",
    "Standing",
    "Status",
    "Tally",
    "ToolCall",
    "UtilityRange",
    "is_cut",
    "is_same_model",
    "new_id",
    "query_kind_key",
    "segment_of",
    "text_tokens",
    "tool_calls_as_text",
    "usd",
    "utc_now",
]
