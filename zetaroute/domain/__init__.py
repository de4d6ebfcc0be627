"""The nouns of zetaroute as frozen values.

Time is seconds (`_s`), money is USD (`_usd`), tokens are counts. A value is made once; nothing is patched later.
"""

from zetaroute.domain.arm import (
    ALL_TASKS as ALL_TASKS,
    DEMOTED as DEMOTED,
    Arm as Arm,
    Prices as Prices,
    PriceTier as PriceTier,
    Standing as Standing,
    Tally as Tally,
    query_kind_key as query_kind_key,
    segment_of as segment_of,
    usd as usd,
)
from zetaroute.domain.chain import (
    Chain as Chain,
    ChainAsk as ChainAsk,
    Thought as Thought,
    run_chain as run_chain,
)
from zetaroute.domain.contest import (
    BETS_FROM as BETS_FROM,
    FIRST_ROWS as FIRST_ROWS,
    FIRST_SHARE as FIRST_SHARE,
    GRADE_DEADLINE as GRADE_DEADLINE,
    LARGEST_SHARE as LARGEST_SHARE,
    LEAST_SHARE as LEAST_SHARE,
    PROVEN_SHARE as PROVEN_SHARE,
    PROVING_SHARE as PROVING_SHARE,
    PROVING_UNITS as PROVING_UNITS,
    Audit as Audit,
    AuditTerms as AuditTerms,
    ChainReplay as ChainReplay,
    ContestEvent as ContestEvent,
    ContestStep as ContestStep,
    EvidenceLine as EvidenceLine,
    ForeignUnits as ForeignUnits,
    Pairing as Pairing,
    Side as Side,
    UtilityRange as UtilityRange,
)
from zetaroute.domain.decision import (
    GOES_ON as GOES_ON,
    TAKES_OVER as TAKES_OVER,
    Candidate as Candidate,
    Decision as Decision,
    Estimate as Estimate,
    Objective as Objective,
    Switch as Switch,
    Warm as Warm,
)
from zetaroute.domain.feedback import (
    SIGNAL as SIGNAL,
    Feedback as Feedback,
    FeedbackSource as FeedbackSource,
)
from zetaroute.domain.figure import Figure as Figure, strength as strength
from zetaroute.domain.ids import new_id as new_id, utc_now as utc_now
from zetaroute.domain.outcome import (
    CONFIG_ERRORS as CONFIG_ERRORS,
    OUTAGE_ERRORS as OUTAGE_ERRORS,
    Attempt as Attempt,
    Completion as Completion,
    Export as Export,
    Outcome as Outcome,
    Role as Role,
    Status as Status,
    ToolCall as ToolCall,
    is_cut as is_cut,
    is_same_model as is_same_model,
    tool_calls_as_text as tool_calls_as_text,
    tool_calls_in as tool_calls_in,
)
from zetaroute.domain.promotion import Promotion as Promotion
from zetaroute.domain.query import (
    Attachment as Attachment,
    Check as Check,
    FileNote as FileNote,
    Kind as Kind,
    Message as Message,
    Native as Native,
    Query as Query,
    QueryEmbedding as QueryEmbedding,
    content_hash as content_hash,
    text_tokens as text_tokens,
    unit_of as unit_of,
)
