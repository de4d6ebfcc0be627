"""What servers send, in numbers of our own: by server, the body or the events and what is to be read out of them."""

from .building import DONE, Shape
from .counts import USAGES
from .messages import MESSAGES
from .responses import RESPONSES
from .streams import STREAMS
from .tool_calls import CALLS

SHAPES = (*USAGES, *STREAMS, *CALLS, *MESSAGES, *RESPONSES)

__all__ = ["DONE", "SHAPES", "STREAMS", "Shape"]
