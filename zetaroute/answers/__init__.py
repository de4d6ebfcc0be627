"""What an answer says of itself: its final answer, how far it agrees with another, and signs of being right."""
