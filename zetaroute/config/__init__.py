"""What the user can set: config.toml read into frozen settings, and where a home keeps its files."""

from zetaroute.config.grading import (
    CommandGrader as CommandGrader,
    JudgeGrader as JudgeGrader,
    NamedGrader as NamedGrader,
    graders_hash as graders_hash,
)
from zetaroute.config.home import Home as Home, find_home as find_home
from zetaroute.config.models import Embedding as Embedding, check_options as check_options
from zetaroute.config.prices import (
    ImportedPrice as ImportedPrice,
    prices_text as prices_text,
    read_prices as read_prices,
)
from zetaroute.config.privacy import (
    DEFAULT_PRIVACY as DEFAULT_PRIVACY,
    DEFAULT_RULES as DEFAULT_RULES,
    Privacy as Privacy,
    TagRule as TagRule,
)
from zetaroute.config.serving import Serving as Serving
from zetaroute.config.settings import (
    PRESETS as PRESETS,
    Audits as Audits,
    Budget as Budget,
    Chains as Chains,
    Challengers as Challengers,
    Explore as Explore,
    GuardRule as GuardRule,
    PromotionGate as PromotionGate,
    Settings as Settings,
    default_config_text as default_config_text,
    load_settings as load_settings,
    parse_settings as parse_settings,
)
from zetaroute.domain import Objective as Objective
