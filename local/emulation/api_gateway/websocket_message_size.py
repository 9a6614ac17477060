"""Size limits of API Gateway for a client's WebSocket messages.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
"""

from dataclasses import dataclass

FRAME_BYTES = 32 * 1024
MESSAGE_BYTES = 128 * 1024
"""Maximum size of a message, which can have several frames."""


@dataclass
class MessageSize:
    """Number of received bytes of one message and of its current frame."""

    frame: int = 0
    """Number of bytes of the current frame. It begins at 0 for each frame."""
    message: int = 0
    """Number of bytes of all frames of the message."""

    def add(self, size: int, *, frame_ends: bool) -> bool:
        """Add the size of received bytes. Return False if the frame or the message is now too long."""
        self.frame += size
        self.message += size
        is_allowed = self.frame <= FRAME_BYTES and self.message <= MESSAGE_BYTES
        if frame_ends:
            self.frame = 0
        return is_allowed
