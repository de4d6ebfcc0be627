"""One internal form of answers, tool calls, thinking and token counts for every wire format."""
