"""Tests of the size limits of WebSocket messages on the local platform, which are those of API Gateway."""

import pytest

from local.emulation.api_gateway.websocket_message_size import FRAME_BYTES, MESSAGE_BYTES, MessageSize

pytestmark = pytest.mark.unit


def test_a_frame_or_message_above_its_limit_is_refused() -> None:
    size = MessageSize()
    for _ in range(MESSAGE_BYTES // FRAME_BYTES):
        assert size.add(1, frame_ends=False)
        assert size.add(FRAME_BYTES - 1, frame_ends=True)
    assert not size.add(1, frame_ends=False)
    assert not MessageSize().add(FRAME_BYTES + 1, frame_ends=True)
